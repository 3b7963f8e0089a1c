"""deflate.py - permessage-deflate from a server: bombs, garbage, and RSV1 where it may not be (RFC 7692)."""

import zlib

from liar import Lies, answer, closing, frame, meet
from wire import BINARY, CLOSE, CONT, PING, TEXT

LIES = Lies()
RSV1 = 4
OPTIONS = ("--deflate", "--max-message-size", "1m")
KEEPING = ("--deflate=context",)
TAIL = b"\x00\x00\xff\xff"
LIMITS = (1002, 1007, 1008, 1009, 1011)
AGREED = {"Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover"}
KEPT = {"Sec-WebSocket-Extensions": "permessage-deflate"}


def compressed(payload):
    squeeze = zlib.compressobj(9, wbits=-15)
    return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def bomb(size, char=b"x"):
    """`size` bytes of text, about a thousandth of it on the wire: a block that stands for itself, many times."""
    squeeze = zlib.compressobj(9, wbits=-15)
    block = squeeze.compress(char * (1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return (block * (size >> 20)).removesuffix(TAIL)


def pieces(payload, count):
    """The payload in so many frames."""
    size = -(-len(payload) // count)
    cut = [payload[at : at + size] for at in range(0, len(payload), size)]
    last = len(cut) - 1
    return b"".join(
        frame(CONT if n else TEXT, part, fin=n == last, rsv=0 if n else RSV1) for n, part in enumerate(cut)
    )


def ends(name, *inputs, **outcome):
    LIES.ends(name, *inputs, options=OPTIONS, upgrade=AGREED, **outcome)


@LIES.row("control")
def control():
    text = "compressed, grüße ".encode() * 1000
    other = b"another"

    def script(caller):
        caller.request()
        assert "permessage-deflate" in caller.field("sec-websocket-extensions"), "not offered"
        caller.send(answer(caller.key, **AGREED))
        caller.send(frame(TEXT, compressed(text), rsv=RSV1), pieces(compressed(text), 50), frame(TEXT, other))
        caller.send(frame(TEXT, b"", rsv=0), frame(TEXT, b"\x00", rsv=RSV1), closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait", *OPTIONS).succeeded(text + b"\n" + text + b"\n" + other + b"\n\n\n")


@LIES.row("context")
def context():
    """The server's window is kept from message to message, unless it has said that it is not."""

    def script(caller):
        caller.accept(**KEPT)
        squeeze = zlib.compressobj(9, wbits=-15)
        for n in range(20):
            payload = squeeze.compress(b"message %d of many" % n) + squeeze.flush(zlib.Z_SYNC_FLUSH)
            caller.send(frame(TEXT, payload.removesuffix(TAIL), rsv=RSV1))
        caller.send(closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait", *KEEPING).succeeded(b"".join(b"message %d of many\n" % n for n in range(20)))


BOMB = bomb(1 << 30)
ends("bomb", frame(TEXT, BOMB[: 1 << 20], rsv=RSV1), frame(BINARY, bomb(64 << 20, b"\0"), rsv=RSV1), code=LIMITS)
ends("bomb-fragmented", pieces(BOMB, 64), code=LIMITS)
ends("bomb-just-over", frame(TEXT, bomb(2 << 20), rsv=RSV1), code=LIMITS)
JUNK = (b"\xff" * 40, b"\x06", b"\x01\x05\x00\x00\x00hello")
ends("garbage", *[frame(TEXT, junk, rsv=RSV1) for junk in JUNK], code=LIMITS)
ends("truncated", frame(TEXT, compressed(b"hello " * 99)[:-3], rsv=RSV1), code=LIMITS)
ends("rsv1-continuation", frame(TEXT, b"x", fin=False) + frame(CONT, compressed(b"y"), rsv=RSV1), code=1002)
ends("rsv1-control", frame(PING, compressed(b"y"), rsv=RSV1), frame(CLOSE, b"", rsv=RSV1), code=1002)
SURROGATES = compressed(b"\xed\xa0\x80" * 50)
ends("invalid-utf8", frame(TEXT, compressed(b"ab\xff"), rsv=RSV1), pieces(SURROGATES, 3), code=1007)
LIES.ends("rsv1-not-negotiated", frame(TEXT, compressed(b"hello"), rsv=RSV1), code=1002)
LIES.ends("rsv1-declined", frame(TEXT, compressed(b"hello"), rsv=RSV1), code=1002, options=OPTIONS)
