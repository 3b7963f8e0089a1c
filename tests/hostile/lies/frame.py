"""frame.py - frames that no server may send (RFC 6455 sections 5 and 8)."""

import random

import wire
from liar import PROTOCOL, Lies, answer, frame, meet
from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, random_bytes

LIES = Lies()
GOOD = frame(TEXT, b"good")

LIES.ends("masked", wire.frame(TEXT, b"hello"), wire.frame(PING), wire.frame(TEXT, b"x", mask=bytes(4)), code=1002)
LIES.ends("rsv1", *[frame(opcode, b"x", rsv=4) for opcode in (TEXT, BINARY)], code=1002)
LIES.ends("rsv-others", *[frame(TEXT, b"x", rsv=rsv) for rsv in (1, 2, 3, 5, 6, 7)], code=1002)
LIES.ends("rsv-control", *[frame(opcode, rsv=rsv) for opcode in (PING, PONG, CLOSE) for rsv in (1, 4)], code=1002)
LIES.ends("reserved-opcodes", *[frame(opcode, b"x") for opcode in (3, 4, 7, 11, 12, 15)], code=1002)
LIES.ends("cont-first", frame(CONT, b"x"), frame(CONT, b"x", fin=False), code=1002)
LIES.ends("cont-after-whole", GOOD + frame(CONT, b"x"), code=1002, printed=b"good\n")
LIES.ends("new-inside", *[frame(TEXT, b"x", fin=False) + frame(opcode, b"y") for opcode in (TEXT, BINARY)], code=1002)
LIES.ends("control-fragmented", *[frame(opcode, b"x", fin=False) for opcode in (PING, PONG, CLOSE)], code=1002)
LIES.ends("control-126", *[frame(opcode, b"\x03\xe8" * 63) for opcode in (PING, PONG, CLOSE)], code=1002)
LIES.ends("control-64", frame(PING, b"x", form=64), frame(PONG, b"x", form=16), code=1002)
LIES.ends("len64-msb", *[frame(BINARY, announce=size, form=64) for size in (1 << 63, (1 << 64) - 1)], code=(1002, 1009))
LIES.ends(
    "len64-huge",
    *[frame(TEXT, announce=size, form=64) for size in ((1 << 63) - 1, 1 << 48, 1 << 40, (1 << 32) + 5, (1 << 20) + 1)],
    code=(1002, 1009),
    options=("--max-message-size", "1m"),
)
LIES.ends("len64-huge-unlimited", frame(TEXT, announce=(1 << 63) - 1, form=64), code=(1002, 1009))
LIES.ends("len-nonminimal", frame(TEXT, b"hello", form=16), frame(TEXT, b"hello", form=64), code=1002)
LIES.ends("len-nonminimal-64", frame(TEXT, b"x" * 65535, form=64), code=1002)


@LIES.row("nothing-after-error")
def nothing_after_error():
    """What lies behind a fault is not taken; what came before it is."""

    def script(caller):
        caller.accept()
        caller.send(GOOD, frame(3), frame(TEXT, b"bad"), GOOD)
        caller.ended_with(1002)

    meet(script, "--wait").failed(PROTOCOL, printed=b"good\n")


@LIES.row("in-the-answers-segment")
def in_the_answers_segment():
    def script(caller):
        caller.request()
        caller.send(answer(caller.key) + wire.frame(TEXT, b"masked"))
        caller.ended_with(1002)

    meet(script, "--wait").failed(PROTOCOL)


# ---- Text

BAD = (
    b"\xff",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x80",
    b"abc\xce",
)
LIES.ends("utf8-invalid", *[frame(TEXT, text) for text in BAD], code=1007)
LIES.ends("utf8-inside", frame(TEXT, b"x" * 5000 + b"\xed\xbf\xbf" + b"x" * 5000), code=1007)
LIES.ends(
    "utf8-split",
    frame(TEXT, b"\xce", fin=False) + frame(CONT, b"x"),
    frame(TEXT, b"\xf4", fin=False) + frame(CONT, b"\x90\x80\x80"),
    frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT),
    code=1007,
)


# ---- Whatever


@LIES.row("random-streams")
def random_streams():
    """Seeded noise: it ends by itself, in one of the ways that it documents."""
    for seed in range(40):
        generator = random.Random(seed)
        noise = [
            frame(
                generator.randrange(16),
                random_bytes(generator, generator.choice((0, 1, 2, 125, 126, 4000))),
                fin=generator.random() < 0.7,
                rsv=generator.choice((0, 0, 0, 0, 1, 4)),
            )
            for _ in range(generator.randrange(1, 30))
        ]
        noise.append(random_bytes(generator, generator.randrange(200)))

        def script(caller, noise=noise):
            caller.accept()
            caller.try_send(*noise)
            caller.finish()
            caller.ended()

        meet(script, "--wait", "--binary")
