"""frame.py - frames that break the rules of RFC 6455 section 5, and those that must be borne."""

import random
import socket

from suite import Suite
from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, Peer, frame, opened, random_bytes, request

SUITE = Suite("--close-wait", "1s")
A_MESSAGE = frame(TEXT, b"whole")

# ---- Broken rules: 1002, or 1009 for what is only too long

SUITE.ends(
    "unmasked",
    *[frame(op, b"hi", mask=None) for op in (TEXT, BINARY, PING, CLOSE)],
    code=1002,
    reason="frame-mask",
)
SUITE.ends(
    "rsv-bits",
    *[frame(op, b"hi", rsv=rsv) for rsv in range(1, 8) for op in (TEXT, PING)],
    code=1002,
    reason="frame-reserved",
)
SUITE.ends(
    "reserved-opcodes",
    *[frame(op, b"hi") for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    code=1002,
    reason="frame-opcode",
)
SUITE.ends("cont-without-start", frame(CONT, b"x"), frame(CONT, b"x", fin=False), code=1002, reason="frame-sequence")
SUITE.ends(
    "cont-after-complete",
    A_MESSAGE + frame(CONT, b"x"),
    code=1002,
    reason="frame-sequence",
    passes=[b"whole"],
)
SUITE.ends(
    "new-message-inside",
    *[frame(TEXT, b"a", fin=False) + frame(op, b"b") for op in (TEXT, BINARY)],
    code=1002,
    reason="frame-sequence",
)
SUITE.ends(
    "fragmented-control",
    *[frame(op, fin=False) for op in (PING, PONG, CLOSE)],
    code=1002,
    reason="frame-control",
)
SUITE.ends(
    "control-too-long",
    *[frame(op, bytes(126)) for op in (PING, PONG, CLOSE)],
    *[frame(op, bytes(126), form=64) for op in (PING, PONG, CLOSE)],
    code=1002,
)
SUITE.ends("len64-msb", *[frame(BINARY, announce=n) for n in (1 << 63, (1 << 64) - 1)], code=(1002, 1009))
SUITE.ends(
    "len64-huge",
    *[frame(BINARY, announce=n) for n in ((1 << 63) - 1, 1 << 48, 1 << 40)],
    code=1009,
    reason="message-size",
)
SUITE.ends("len32-truncation", frame(BINARY, b"12345", announce=(1 << 32) + 5), code=1009, reason="message-size")
SUITE.ends(
    "len-nonminimal",
    frame(TEXT, b"12345", form=16),
    frame(TEXT, b"12345", form=64),
    frame(TEXT, bytes(125), form=16),
    frame(BINARY, bytes(65535), form=64),
    code=1002,
    reason="frame-length",
)
SUITE.ends("nothing-after-error", frame(3) + A_MESSAGE + frame(PING, b"?"), code=1002)
SUITE.ends("message-too-big", frame(BINARY, announce=(1 << 20) + 1), code=1009, reason="message-size")
SUITE.ends(
    "message-too-big-in-parts",
    frame(BINARY, bytes(1 << 20), fin=False) + frame(CONT, b"x"),
    code=1009,
    reason="message-size",
)
SUITE.ends(
    "too-many-fragments",
    frame(TEXT, fin=False) + frame(CONT, fin=False) * 4200,
    code=1008,
    reason="fragment-count",
)


@SUITE.row("endless-message")
def endless_message(program):
    with opened(program.port) as peer:
        sent, block = 0, frame(CONT, bytes(65536), fin=False)
        peer.send(frame(BINARY, fin=False))
        while sent < 64 << 20 and peer.try_send(block):
            sent += len(block)
        assert sent < 64 << 20, "64 MiB of one message were taken"


# ---- What must be borne


@SUITE.row("byte-by-byte")
def byte_by_byte(program):
    with opened(program.port) as peer:
        for byte in frame(TEXT, b"x" * 300):
            peer.send(bytes([byte]))
        assert peer.message() == b"x" * 300


@SUITE.row("coalesced-2000")
def coalesced(program):
    wanted = [b"%d" % n for n in range(2000)]
    with opened(program.port) as peer:
        peer.send(*[frame(TEXT, payload) for payload in wanted])
        assert [peer.message() for _ in wanted] == wanted


@SUITE.row("ping-inside-fragments")
def ping_inside_fragments(program):
    with opened(program.port) as peer:
        peer.send(frame(TEXT, b"be", fin=False), frame(PING, b"still there?"))
        pong = peer.next()
        assert (pong.opcode, pong.payload) == (PONG, b"still there?")
        peer.send(frame(CONT, b"fo", fin=False), frame(PONG, b"unasked"), frame(CONT, b"re"))
        assert peer.message() == b"before"


@SUITE.row("lengths-boundary")
def lengths_boundary(program):
    with opened(program.port) as peer:
        for size in (0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20):
            payload = random_bytes(random.Random(size), size)
            for mask in (bytes(4), b"\xa5\x5a\xff\x01"):
                peer.send(frame(BINARY, payload, mask=mask))
                assert peer.message() == payload, f"{size} bytes"


@SUITE.row("empty-fragments")
def empty_fragments(program):
    with opened(program.port) as peer:
        peer.send(frame(TEXT, fin=False), frame(CONT, fin=False) * 50, frame(CONT, b"x", fin=False), frame(CONT))
        assert peer.message() == b"x"


@SUITE.row("random-streams")
def random_streams(program):
    """Streams of well and ill formed frames, cut anywhere: closed or answered, with a sound close code."""
    generator = random.Random(7)
    for _ in range(150):
        with Peer(program.port) as peer:
            peer.send(request())
            assert peer.answer() == 101
            peer.try_send(b"".join(any_frame(generator) for _ in range(generator.randrange(1, 8))))
            peer.socket.shutdown(socket.SHUT_WR)
            assert peer.ended() in (0, 1000, 1002, 1005, 1007, 1009, 3000)


def any_frame(generator):
    payload = random_bytes(generator, generator.choice((0, 1, 2, 5, 125, 126, 2000)))
    return frame(
        generator.choice((CONT, TEXT, TEXT, BINARY, BINARY, PING, PONG, CLOSE, generator.randrange(16))),
        payload,
        fin=generator.random() < 0.7,
        rsv=generator.choice((0, 0, 0, 0, 4, 1)),
        mask=None if generator.random() < 0.02 else random_bytes(generator, 4),
        announce=generator.randrange(1 << 16) if generator.random() < 0.1 else None,
        form=64 if generator.random() < 0.1 else None,
    )
