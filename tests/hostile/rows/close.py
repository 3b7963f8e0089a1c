"""close.py - the closing handshake (RFC 6455 sections 5.5.1 and 7), and text that is not UTF-8 (section 8.1)."""

import struct

from suite import Suite, at_once, say_goodbye
from wire import BINARY, CLOSE, CONT, PING, TEXT, closing, close_code, frame, opened

SUITE = Suite("--close-wait", "1s")

# ---- Close frames

for codes in ((1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011), (3000, 3999, 4000, 4999)):

    @SUITE.row(f"valid-codes-{codes[0]}")
    def valid_codes(program, codes=codes):
        for code in codes:
            with opened(program.port) as peer:
                peer.send(closing(code, b"enough"))
                got = peer.ended(answer=False)
                assert got == code, f"{code} was answered by {got}"


SUITE.ends("empty", closing(), code=1005)
SUITE.ends(
    "invalid-codes",
    *[closing(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)],
    code=1002,
    reason="close-code",
)
SUITE.ends("one-byte", frame(CLOSE, b"\x03"), code=1002, reason="close-payload")
SUITE.ends("reason-not-utf8", closing(1000, b"\xff\xfe"), closing(1000, b"\xce"), code=(1002, 1007), reason="utf8")
SUITE.ends("reason-123", closing(1000, b"r" * 123), code=1000)
SUITE.ends("data-after", closing(1000) + frame(TEXT, b"too late") + frame(PING, b"?"), code=1000)
SUITE.ends("inside-fragments", frame(TEXT, b"half", fin=False) + closing(1000), code=1000)


@SUITE.row("double")
def double(program):
    def act(_):
        with opened(program.port) as peer:
            peer.send(closing(1000), closing(1001))
            got = peer.next()
            assert (got.opcode, close_code(got)) == (CLOSE, 1000)
            peer.reset()

    at_once(200, act)


@SUITE.row("with-much-queued")
def with_much_queued(program):
    """What was sent before a close frame comes before its answer."""
    with opened(program.port) as peer:
        payload = bytes(50_000)
        peer.send(*[frame(BINARY, payload)] * 8, closing(1000))
        for _ in range(8):
            assert peer.message() == payload
        got = peer.next()
        assert got.opcode == CLOSE and struct.unpack(">H", got.payload) == (1000,)
        peer.until_end()


@SUITE.row("unanswered")
def unanswered(program):
    """A peer that provokes a close and never answers it is let go within the limit."""
    with opened(program.port) as peer:
        peer.send(frame(3))
        got = peer.next()
        assert (got.opcode, close_code(got)) == (CLOSE, 1002)
        peer.until_end(3)


# ---- UTF-8

NOT_UTF8 = [
    bytes.fromhex(text)
    for text in "ff fe 80 bf c0af c1bf e080af eda080 edbfbf f08080af f4908080 f888808080 ce".split()
]
SUITE.ends("utf8.invalid", *[frame(TEXT, b"before " + bad) for bad in NOT_UTF8], code=1007, reason="utf8")
SUITE.ends(
    "utf8.invalid-late",
    *[frame(TEXT, b"a" * 3000 + bad + b"a" * 3000) for bad in NOT_UTF8],
    code=1007,
    reason="utf8",
)
SUITE.ends(
    "utf8.split-invalid",
    frame(TEXT, b"\xce", fin=False) + frame(CONT, b"a"),
    frame(TEXT, b"\xf0\x9f", fin=False) + frame(CONT, b"\x98"),
    frame(TEXT, b"\xed", fin=False) + frame(CONT, b"\xa0\x80"),
    code=1007,
    reason="utf8",
)
SUITE.ends(
    "utf8.fail-fast",
    *[frame(TEXT, b"a" + bad, fin=False) for bad in (b"\xff", b"\xc0", b"\xe0\x80", b"\xed\xa0", b"\xf4\x90")],
    code=1007,
    reason="utf8",
)
SUITE.ends("utf8.fail-fast-in-frame", frame(TEXT, b"a\xff" + b"a" * 100, announce=500), code=1007, reason="utf8")


@SUITE.row("utf8.split-valid")
def split_valid(program):
    payload = "κόσμε 😀 \U0010ffff".encode()
    with opened(program.port) as peer:
        for cut in range(len(payload) + 1):
            peer.send(frame(TEXT, payload[:cut], fin=False), frame(CONT, payload[cut:]))
            assert peer.message() == payload


@SUITE.row("utf8.binary-exempt")
def binary_exempt(program):
    with opened(program.port) as peer:
        for bad in NOT_UTF8:
            peer.echo(bad, BINARY)
        say_goodbye(peer)
