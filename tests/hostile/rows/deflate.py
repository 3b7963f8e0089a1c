"""deflate.py - permessage-deflate: bombs, garbage and the odd but legal (RFC 7692)."""

import zlib

from suite import Suite, at_once
from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, Peer, frame, request

SUITE = Suite("--deflate", "--close-wait", "1s")
RSV1 = 4
TAIL = b"\x00\x00\xff\xff"


def compressed(payload, level=9):
    squeeze = zlib.compressobj(level, wbits=-15)
    return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def bomb(size):
    """Zeros, about a thousandth of `size` on the wire."""
    squeeze = zlib.compressobj(9, wbits=-15)
    block = bytes(1 << 20)
    return b"".join(squeeze.compress(block) for _ in range(size >> 20)) + squeeze.flush(zlib.Z_SYNC_FLUSH)[:-4]


class Reader:
    """Inflates what the server sends, with or without a context kept."""

    def __init__(self, peer):
        self.keeps = "server_no_context_takeover" not in peer.field("sec-websocket-extensions")
        self.inflate = zlib.decompressobj(-15)

    def read(self, peer):
        got = peer.next()
        assert got.fin, "a fragmented answer"
        if got.rsv != RSV1:
            return got.payload
        if not self.keeps:
            self.inflate = zlib.decompressobj(-15)
        return self.inflate.decompress(got.payload + TAIL)


def deflating(program, offer="permessage-deflate", **options):
    peer = Peer(program.port, **options)
    peer.send(request(sec_websocket_extensions=offer))
    assert peer.answer() == 101
    accepted = peer.field("sec-websocket-extensions") or ""
    assert accepted.startswith("permessage-deflate"), f"{offer}: {accepted!r}"
    return peer


def ends(name, *inputs, **outcome):
    SUITE.ends(name, *inputs, opener=deflating, **outcome)


@SUITE.row("control")
def control(program):
    with deflating(program) as peer:
        reader = Reader(peer)
        for n in range(50):
            payload = b"message %d " % n * 200
            peer.send(frame(TEXT, compressed(payload), rsv=RSV1))
            assert reader.read(peer) == payload
        peer.send(frame(TEXT, b"plain beside it"))
        assert reader.read(peer) == b"plain beside it"


@SUITE.row("negotiation")
def negotiation(program):
    """One acceptance at most, and none of an offer that is not valid (RFC 7692 section 7.1)."""
    good = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        'permessage-deflate; client_max_window_bits="10"',
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        "x-unknown, permessage-deflate; nonsense, permessage-deflate",
        ", ".join(["permessage-deflate"] * 300),
    ]
    bad = [
        "x",
        "server_max_window_bits",
        *[f"server_max_window_bits={bits}" for bits in ("16", "7", "09", "1e1", '"a"')],
        "client_max_window_bits=7",
        "client_no_context_takeover=1",
        "server_no_context_takeover; server_no_context_takeover",
    ]
    for offer in good:
        with deflating(program, offer) as peer:
            assert peer.field("sec-websocket-extensions").count("permessage-deflate") == 1
    for parameter in bad:
        with Peer(program.port) as peer:
            peer.send(request(sec_websocket_extensions=f"permessage-deflate; {parameter}"))
            status = peer.answer()
            assert status in (101, 400) and peer.field("sec-websocket-extensions") is None, parameter


# ---- Bombs

BOMB = bomb(256 << 20)
SMALL_BOMB = bomb(64 << 20)
PIECE = len(BOMB) // 64 + 1
PIECES = [BOMB[n : n + PIECE] for n in range(0, len(BOMB), PIECE)]

ends("bomb", frame(BINARY, BOMB, rsv=RSV1), code=1009)
ends("bomb-text", frame(TEXT, BOMB, rsv=RSV1), code=1009)
ends(
    "bomb-fragmented",
    frame(BINARY, PIECES[0], fin=False, rsv=RSV1)
    + b"".join(frame(CONT, piece, fin=False) for piece in PIECES[1:-1])
    + frame(CONT, PIECES[-1]),
    code=1009,
)


@SUITE.row("bomb-many")
def bomb_many(program):
    def act(_):
        with deflating(program, patience=20) as peer:
            peer.try_send(frame(BINARY, SMALL_BOMB, rsv=RSV1))
            assert peer.ended() == 1009

    at_once(20, act, threads=20)


@SUITE.row("just-within")
def just_within(program):
    """A message of the largest size allowed is no bomb, when it is made of something."""
    payload = b"".join(b"%07d " % n for n in range(1 << 17))
    with deflating(program, patience=10) as peer:
        reader = Reader(peer)
        peer.send(frame(TEXT, compressed(payload), rsv=RSV1))
        assert reader.read(peer) == payload


# ---- Garbage, and RSV1 where it must not be

ends(
    "garbage",
    *[frame(BINARY, bad, rsv=RSV1) for bad in (b"\xff" * 100, b"\x06", b"\x01\x05\x00\x00\x00hello")],
    code=(1002, 1003, 1007, 1011),
    reason="deflate-data",
)
ends(
    "rsv1-on-continuation",
    frame(TEXT, b"", fin=False, rsv=RSV1) + frame(CONT, b"\x00", rsv=RSV1),
    code=1002,
    reason="frame-reserved",
)
ends("rsv1-on-control", *[frame(op, b"", rsv=RSV1) for op in (PING, PONG, CLOSE)], code=1002, reason="frame-reserved")
ends("rsv2-rsv3", frame(TEXT, b"\x00", rsv=RSV1 | 2), frame(TEXT, b"x", rsv=1), code=1002, reason="frame-reserved")
ends(
    "invalid-utf8",
    *[frame(TEXT, compressed(b"text " + bad), rsv=RSV1) for bad in (b"\xff", b"\xc0\xaf", b"\xce")],
    code=1007,
    reason="utf8",
)


# ---- Odd, but legal


@SUITE.row("empty-forms")
def empty_forms(program):
    with deflating(program) as peer:
        reader = Reader(peer)
        peer.send(frame(TEXT, b"\x00", rsv=RSV1))
        assert reader.read(peer) == b""
    with deflating(program) as peer:
        peer.send(frame(TEXT, b"", rsv=RSV1))
        got = peer.next()
        assert got.opcode == CLOSE or got.payload in (b"", b"\x00"), got


@SUITE.row("bfinal")
def bfinal(program):
    """A final block ends the stream, but not the message's context (RFC 7692 section 7.2.3.4)."""
    with deflating(program) as peer:
        reader = Reader(peer)
        squeeze = zlib.compressobj(wbits=-15)
        final = squeeze.compress(b"Hello") + squeeze.flush(zlib.Z_FINISH) + b"\x00"
        peer.send(frame(TEXT, final, rsv=RSV1), frame(TEXT, compressed(b"once more"), rsv=RSV1))
        assert [reader.read(peer), reader.read(peer)] == [b"Hello", b"once more"]


@SUITE.row("two-blocks")
def two_blocks(program):
    with deflating(program) as peer:
        reader = Reader(peer)
        peer.send(frame(TEXT, bytes.fromhex("f248050000 00ffffcac9c90700"), rsv=RSV1))
        assert reader.read(peer) == b"Hello"


@SUITE.row("split-anywhere")
def split_anywhere(program):
    payload = "κόσμε 😀 ".encode() * 20
    raw = compressed(payload)
    with deflating(program) as peer:
        reader = Reader(peer)
        for cut in range(0, len(raw) + 1):
            peer.send(frame(TEXT, raw[:cut], fin=False, rsv=RSV1), frame(CONT, raw[cut:]))
            assert reader.read(peer) == payload


@SUITE.row("empty-blocks")
def empty_blocks(program):
    """Nearly a MiB of stored blocks that hold nothing must not hold up the bystander."""
    with deflating(program, patience=10) as peer:
        reader = Reader(peer)
        peer.try_send(frame(BINARY, b"\x00\x00\x00\xff\xff" * 200_000 + b"\x00", rsv=RSV1))
        assert reader.read(peer) == b""
