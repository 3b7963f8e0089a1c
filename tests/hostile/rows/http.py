"""http.py - heads that are malformed, ambiguous, too large or no upgrade (RFC 9110, RFC 9112, RFC 6455 section 4.2)."""

import random

from suite import Suite
from wire import FIELDS, KEY, TEXT, Peer, frame, get, random_bytes, request

SUITE = Suite("--handshake-timeout", "4s")
ACCEPT = "Bz3qJYTGdOe8gUSpLosEdiLKDrk="  # for KEY, RFC 6455 section 4.2.2
REFUSED = range(400, 600)
DROPPED_OR_REFUSED = (0, *REFUSED)
CHUNKED = get(method="POST", more=["Transfer-Encoding: chunked"])

# ---- What must be accepted


@SUITE.row("valid-control")
def valid_control(program):
    with Peer(program.port) as peer:
        peer.upgrade()
        assert peer.field("sec-websocket-accept") == ACCEPT
        for payload in (b"text", b""):
            peer.echo(payload, TEXT)
            peer.echo(payload)


@SUITE.row("case-insensitive")
def case_insensitive(program):
    raw = request(connection="keep-alive, Upgrade", upgrade="WebSocket")
    for old, new in ((b"Sec-WebSocket-Key", b"SEC-WEBSOCKET-KEY"), (b"Upgrade: W", b"uPGRADE: W"), (b"Host", b"hoST")):
        raw = raw.replace(old, new)
    with Peer(program.port) as peer:
        peer.send(raw)
        assert peer.answer() == 101
        peer.echo()


@SUITE.row("pipelined-frames")
def pipelined_frames(program):
    with Peer(program.port) as peer:
        peer.send(request(), frame(TEXT, b"first"), frame(TEXT, b"second"))
        assert peer.answer() == 101
        assert [peer.message(), peer.message()] == [b"first", b"second"]


@SUITE.row("byte-by-byte")
def byte_by_byte(program):
    with Peer(program.port) as peer:
        for byte in request() + frame(TEXT, b"slowly"):
            peer.send(bytes([byte]))
        assert peer.answer() == 101
        assert peer.message() == b"slowly"


@SUITE.row("nothing-unasked")
def nothing_unasked(program):
    with Peer(program.port) as peer:
        peer.upgrade()
        assert peer.field("sec-websocket-extensions") is None
        assert peer.field("sec-websocket-protocol") is None


@SUITE.row("absolute-form")
def absolute_form(program):
    for target in ("http://localhost/echo", "http://elsewhere.example/echo"):
        with Peer(program.port) as peer:
            peer.send(request(target))
            assert peer.answer() in (101, *REFUSED)


# ---- Not an upgrade as RFC 6455 section 4.2.1 wants it

SUITE.answered("method", *[request(method=method) for method in ("POST", "PUT", "HEAD", "get", "FOO")], by=REFUSED)
SUITE.answered("version-1.0", request(version=" HTTP/1.0"), by=REFUSED)
SUITE.answered(
    "version-odd",
    *[request(version=version) for version in (" HTTP/9.9", " HTTP/1.1x", " HTTP/-1", " http/1.1", " HTTP/1.", "")],
    by=(0, 400, 505),
)
SUITE.answered("no-upgrade", request(without=["Upgrade"]), by=(400, 426), closes=False)
SUITE.answered("upgrade-other", request(upgrade="h2c"), request(upgrade="websocketx"), by=(400, 426), closes=False)
SUITE.answered("no-connection-upgrade", request(connection="keep-alive"), by=(400, 426), closes=False)
SUITE.answered("key-missing", request(without=["Sec-WebSocket-Key"]), by=(400,), reason="upgrade-key")
SUITE.answered(
    "key-malformed",
    *[request(sec_websocket_key=key) for key in ("", "x", KEY[:-2], KEY[:20], KEY * 2, "*" * 22 + "==", KEY + " x")],
    by=(400,),
    reason="upgrade-key",
)
SUITE.answered("key-duplicate", request(more=[f"Sec-WebSocket-Key: {KEY}"]), by=(400,), reason="upgrade-key")
SUITE.answered(
    "version-header",
    *[request(sec_websocket_version=version) for version in ("12", "0", "99999999999999999999", "13x", "-13")],
    request(without=["Sec-WebSocket-Version"]),
    by=(400, 426),
    shows="Sec-WebSocket-Version: 13",
    reason="upgrade-version",
)
SUITE.answered(
    "origin-foreign",
    *[request(origin=f"http://{host}") for host in ("evil.example", "localhost.evil.example", "xlocalhost", "")],
    request(origin="null"),
    by=(403,),
    reason="origin",
)
SUITE.answered("connect-tunnel", request("localhost:80", method="CONNECT"), by=REFUSED)

# ---- Host

SUITE.answered("host-missing", request(without=["Host"]), by=(400,), reason="http-host")
SUITE.answered(
    "host-duplicate",
    request(more=["Host: localhost"]),
    request(more=["Host: evil"]),
    by=(400,),
    reason="http-host",
)
SUITE.answered("host-invalid", *[request(host=host) for host in ("a b", "a/b", "u@h", "a\x01b", "a\\b")], by=(400,))

# ---- Lines and fields

SUITE.answered(
    "space-before-colon",
    request(more=["X-A : b"]),
    request(more=["Content-Length : 0"]),
    by=(400,),
    reason="http-syntax",
)
SUITE.answered(
    "obs-fold",
    request(more=["X-A: b", " Origin: http://localhost"]),
    request(more=["X-A: b", "\tc"]),
    by=(400,),
)
SUITE.answered("space-first-header", request().replace(b"\r\nHost", b"\r\n Host", 1), by=(400,))
SUITE.answered(
    "bare-cr",
    request(more=["X-A: b\rX-B: c"]),
    request().replace(b"\r\nUpgrade", b"\rUpgrade", 1),
    by=(400,),
)
SUITE.answered("bare-lf", request(eol=b"\n"), by=(400,))
SUITE.answered(
    "bare-lf-header",
    request().replace(b"\r\nUpgrade", b"\nUpgrade", 1),
    request(more=["X-A: b\nX-B: c"]),
    by=(400,),
)
SUITE.answered("nul-bytes", request(more=["X-A: b\0c"]), request(more=["X\0A: b"]), request("/ec\0ho"), by=(400,))
SUITE.answered(
    "bad-header-line",
    *[request(more=[line]) for line in ("no colon", ": no name", "X\x01A: b", "X A: b", "X-A: \x7f", "X(A): b")],
    by=(400,),
    reason="http-syntax",
)
SUITE.answered("malformed-closes", b"NONSENSE\r\n\r\n" + get(), by=(400,))
SUITE.answered("leading-junk", b"\0" + request(), b"\x01\r\n" + request(), by=(0, 400))
SUITE.answered("http-over-itself", b"HTTP/1.1 200 OK\r\n\r\n", by=(0, 400, 505))

# ---- Bodies and framing

SUITE.answered(
    "cl-te",
    request(more=["Content-Length: 5", "Transfer-Encoding: chunked"]) + b"0\r\n\r\n" + get(),
    by=REFUSED,
)
SUITE.answered(
    "cl-duplicate",
    request(more=["Content-Length: 0", "Content-Length: 5"]),
    request(more=["Content-Length: 0, 5"]),
    by=(400,),
)
SUITE.answered(
    "cl-invalid",
    *[request(more=[f"Content-Length: {n}"]) for n in ("-1", "+5", "0x5", "5 5", 1 << 64, (1 << 64) + 5, "")],
    by=REFUSED,
)
SUITE.answered(
    "te-invalid",
    *[
        request(more=[f"Transfer-Encoding: {coding}"])
        for coding in ("xchunked", "chunked, identity", "\x0bchunked", "gzip", "chunked")
    ],
    by=REFUSED,
)
SUITE.answered("upgrade-with-body", request(more=["Content-Length: 11"]) + frame(TEXT, b"smuggled"), by=REFUSED)
SUITE.answered("failed-upgrade-closes", request(sec_websocket_version="12") + get(), by=(426,))
SUITE.answered(
    "chunk-overflow",
    *[CHUNKED + size + b"\r\n" for size in (b"1" + b"0" * 17, b"-1", b"zz")],
    by=REFUSED,
)
SUITE.answered(
    "chunk-ext-flood",
    CHUNKED + b"1;" + b"x" * (8 << 20),
    by=DROPPED_OR_REFUSED,
)


@SUITE.row("expect-continue")
def expect_continue(program):
    with Peer(program.port) as peer:
        peer.send(get(method="POST", more=["Expect: 100-continue", "Content-Length: 5"]))
        assert peer.answer() in REFUSED
        peer.until_end()


# ---- Targets

SUITE.answered(
    "target-forms",
    *[request(target) for target in ("*", "localhost:80", "", "//", "echo", "/ec ho", "/echo#x")],
    by=REFUSED,
)
SUITE.answered(
    "traversal",
    *[
        get(target)
        for target in (
            "/../../../../etc/passwd",
            "/..%2f..%2f..%2fetc/passwd",
            "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "/..\\..\\etc\\passwd",
            "/..%5c..%5cetc/passwd",
            "/.%2e/.%2e/etc/passwd",
            "/%252e%252e/etc/passwd",
            "//etc/passwd",
            "/style.css/../../main.c",
            "/%c0%ae%c0%ae/etc/passwd",
            "/.git/config",
            "/style.css%00.html",
        )
    ],
    by=REFUSED,
    closes=False,
)
SUITE.answered("long-target", request("/" + "a" * (256 << 10)), by=DROPPED_OR_REFUSED)


@SUITE.row("crlf-reflection")
def crlf_reflection(program):
    evil = "%0d%0aX-Evil:%20yes"
    for raw in (
        get(f"/{evil}"),
        request(f"/echo?{evil}"),
        request(sec_websocket_protocol=evil),
        request(origin=f"http://{evil}"),
    ):
        with Peer(program.port) as peer:
            peer.send(raw)
            assert peer.answer() != 0
            assert peer.field("x-evil") is None, peer.head


# ---- Size

SUITE.answered("huge-header", request(more=["X-A: " + "b" * (1 << 20)]), by=DROPPED_OR_REFUSED)
SUITE.answered("many-headers", request(more=["X-A: b"] * 50_000), by=DROPPED_OR_REFUSED)
SUITE.answered(
    "2000-headers-first",
    get(more=[f"X-{n}: b" for n in range(2000)] + [f"{k}: {v}" for k, v in FIELDS.items() if k != "Host"]),
    by=DROPPED_OR_REFUSED,
)
SUITE.answered("field-count", request(more=["X-A: b"] * 120), by=(431,), reason="http-field-count")
SUITE.answered("head-size", request(more=["X-A: " + "b" * 17_000]), by=(431,), reason="http-head-size")


@SUITE.row("hash-collisions")
def hash_collisions(program):
    with Peer(program.port, patience=2) as peer:
        peer.send(request(more=["".join(c) + ": x" for c in zip(*[["Aa", "BB"] * 40] * 4)]))
        assert peer.answer() in (101, *REFUSED)


@SUITE.row("endless-header")
def endless_header(program):
    with Peer(program.port) as peer:
        sent, block = 0, b"a" * 65536
        peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        while sent < 32 << 20 and peer.try_send(block):
            sent += len(block)
        assert sent < 32 << 20, "32 MiB of one header were taken"


# ---- Extensions and subprotocols

SUITE.answered(
    "ext-syntax",
    *[request(sec_websocket_extensions=value) for value in ("permessage-deflate; a=\"b", ";", "a b", "x; =")],
    by=(101, 400),
    closes=False,
)


@SUITE.row("ext-harmless")
def ext_harmless(program):
    """Answered in time, with nothing accepted: the program runs without --deflate."""
    values = [
        'x; y="' + "\\" * 4000,
        "constructor, __proto__, toString",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; server_max_window_bits",
        ", ".join(["permessage-deflate; client_max_window_bits"] * 300),
        "permessage-deflate;" + " " * 8000 + "x",
    ]
    for value in values:
        with Peer(program.port, patience=2) as peer:
            peer.send(request(sec_websocket_extensions=value))
            status = peer.answer()
            assert status in (101, *REFUSED), value[:60]
            assert status != 101 or peer.field("sec-websocket-extensions") is None, value[:60]


@SUITE.row("subprotocol-abuse")
def subprotocol_abuse(program):
    for value in ("", ",", "a b", "x" * 8000, "a" + " " * 8000 + "b", "chat\x01", '"chat"', "a,,b", "é"):
        with Peer(program.port, patience=2) as peer:
            peer.send(request(sec_websocket_protocol=value))
            status = peer.answer()
            chosen = peer.field("sec-websocket-protocol")
            assert status in (101, *REFUSED), value[:60]
            offered = [None, *value.replace(" ", "").split(",")]
            assert status != 101 or chosen in offered, f"{value[:60]}: {chosen}"


# ---- Not HTTP at all

HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(190))
SUITE.answered("tls-on-plain", HELLO, by=(0, 400))
SUITE.answered("h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), by=(0, 400, 405, 505))


@SUITE.row("random-bytes")
def random_openings(program):
    generator = random.Random(2)
    for _ in range(40):
        with Peer(program.port) as peer:
            peer.try_send(random_bytes(generator, generator.randrange(1, 3000)), b"\r\n\r\n")
            assert peer.answer() in (0, 400, 431, 505)


@SUITE.row("leading-crlf")
def leading_crlf(program):
    """RFC 9112 section 2.2 lets a server pass over one; many are no request."""
    with Peer(program.port) as peer:
        peer.send(b"\r\n" + request())
        assert peer.answer() in (101, 400)
    with Peer(program.port) as peer:
        peer.try_send(b"\r\n" * 20_000)
        assert peer.answer() in DROPPED_OR_REFUSED
