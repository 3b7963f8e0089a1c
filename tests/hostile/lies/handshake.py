"""handshake.py - answers to the upgrade that are none (RFC 6455 section 4.1), or have no end."""

import os

from liar import ANSWER, CONNECT, REFUSED, Lies, accept_of, answer, meet
from wire import Gone

LIES = Lies()
OTHER = "dGhlIHNhbXBsZSBub25jZQ=="
DEFLATE = ("--deflate",)
FOLLOW = ("--follow-redirects", "5")


def header(line):
    return lambda key: answer(key, more=[line])


def accept(change):
    """The answer with the right value changed."""
    return lambda key: answer(key, **{"Sec-WebSocket-Accept": change(accept_of(key))})


def extensions(value):
    return lambda key: answer(key, **{"Sec-WebSocket-Extensions": value})


def status(line):
    return lambda key: answer(key, first=line)


def swapped(value):
    return value.swapcase() if value.swapcase() != value else value.upper()


# ---- The accept key

LIES.refused("accept-wrong", accept(lambda _: accept_of(OTHER)), accept(lambda value: "A" + value[1:-2] + "A="))
LIES.refused("accept-missing", lambda key: answer(key, without=["Sec-WebSocket-Accept"]))
LIES.refused("accept-empty", accept(lambda _: ""), accept(lambda _: '""'))
LIES.refused("accept-prefix", accept(lambda value: value + "="), accept(lambda value: value + "AAAA"))
LIES.refused("accept-truncated", accept(lambda value: value[:-1]), accept(lambda value: value[:8]))
LIES.refused("accept-case", accept(swapped))
LIES.refused("accept-twice", lambda key: answer(key, more=[f"Sec-WebSocket-Accept: {accept_of(OTHER)}"]))
LIES.refused("key-echoed", lambda key: answer(key, **{"Sec-WebSocket-Accept": key}))
FIELD = "Sec-WebSocket-Accept"
LIES.refused(
    "accept-folded",
    lambda key: answer(key, without=[FIELD], more=["X: y", f" {FIELD}: {accept_of(key)}"]),
    lambda key: answer(key, without=[FIELD], more=[f"{FIELD}:", f" {accept_of(key)}"]),
)

# ---- The status

LIES.refused(
    "status-200",
    *[status(f"HTTP/1.1 {line}") for line in ("200 OK\r\nContent-Length: 0", "204 No Content", "304 Not Modified")],
    exits=REFUSED,
)
LIES.refused(
    "status-garbage",
    *[
        status(line)
        for line in (
            "HTTP/1.1 abc Switching Protocols",
            "HTTP/1.1  101 Switching Protocols",
            "HTTP/1.1 0x65 Switching Protocols",
            "HTTP/1.1 -101 Switching Protocols",
            "HTTP/1.1 10",
            "101 Switching Protocols",
            "ICY 101 OK",
            "HTTP/2 101 Switching Protocols",
            "HTTP/1.0 101 Switching Protocols",
            "http/1.1 101 Switching Protocols",
            "",
        )
    ],
)
LIES.refused("status-1010", status("HTTP/1.1 1010 Switching Protocols"), status("HTTP/1.1 1013"))


@LIES.row("status-errors")
def status_errors():
    """The status is named, so that a person knows; the body is not printed as if it were a message."""
    for code in (301, 400, 401, 403, 404, 407, 426, 429, 500, 502, 503, 599):

        def script(caller, code=code):
            caller.request()
            caller.try_send(f"HTTP/1.1 {code} No\r\nContent-Length: 6\r\n\r\nthe end".encode())
            assert caller.until_end() == b""

        met = meet(script, "--wait", stdin=b"secret\n").failed(REFUSED)
        assert str(code) in met.err, met.err


# ---- The other fields

LIES.refused("no-upgrade", lambda key: answer(key, without=["Upgrade"]), lambda key: answer(key, Upgrade=""))
LIES.refused("upgrade-other", *[lambda key, v=v: answer(key, Upgrade=v) for v in ("h2c", "websocketx", "web socket")])
LIES.refused("no-connection", lambda key: answer(key, without=["Connection"]))
LIES.refused("connection-close", *[lambda key, v=v: answer(key, Connection=v) for v in ("close", "Upgra", "xUpgrade")])
LIES.refused(
    "unasked-extension",
    extensions("permessage-deflate"),
    extensions("x-webkit-deflate-frame"),
    extensions("permessage-deflate, foo"),
)
LIES.refused("unasked-extension-too", extensions("permessage-deflate, foo"), extensions("foo"), options=DEFLATE)
LIES.refused(
    "pmd-bad-params",
    *[
        extensions("permessage-deflate; " + parameter)
        for parameter in (
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits",
            "server_max_window_bits=",
            "client_max_window_bits=99999999999",
            "client_max_window_bits=-9",
            "client_no_context_takeover=1",
            "server_no_context_takeover; server_no_context_takeover",
            'server_max_window_bits="1',
        )
    ],
    options=DEFLATE,
)
LIES.refused("pmd-unknown-param", extensions("permessage-deflate; server_max=10"), options=DEFLATE)
LIES.refused(
    "pmd-twice",
    extensions("permessage-deflate, permessage-deflate"),
    lambda key: answer(key, more=["Sec-WebSocket-Extensions: permessage-deflate"] * 2),
    options=DEFLATE,
)
LIES.refused("unasked-subprotocol", header("Sec-WebSocket-Protocol: chat"), header("Sec-WebSocket-Protocol: \x01"))
LIES.refused(
    "other-subprotocol",
    *[header(f"Sec-WebSocket-Protocol: {name}") for name in ("cha", "chatt", "Chat", "chat, chat", "chat;")],
    options=("--subprotocol", "chat"),
)

# ---- The form of the head

LIES.refused("header-no-colon", header("nonsense"), header(": x"), header("X Y: z"), header("Upgrade : websocket"))
LIES.refused("header-nul", header("X: a\0b"), header("X\0Y: z"), header("X: a\x1b[2Jb"))
LIES.refused("bare-line-feeds", lambda key: answer(key, eol=b"\n"), header(b"X: y\nZ: w"), header(b"X: y\rZ: w"))
LIES.refused("ssh-banner", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", b"\x16\x03\x01\x02\x00", b"220 smtp ready\r\n\r\n")
LIES.refused("early-frames", b"\x81\x05hello", b"\x88\x00", b"\0" * 70_000)


# ---- The end comes too early


@LIES.row("eof-at-once")
def eof_at_once():
    met = meet(lambda caller: None, "--wait", stdin=b"secret\n", limit=1).failed(ANSWER)
    assert len(met.callers) == 1


@LIES.row("rst-at-once")
def rst_at_once():
    meet(lambda caller: caller.reset(), "--wait", limit=1).failed(ANSWER, CONNECT)
    meet(lambda caller: caller.request().reset(), "--wait", limit=1).failed(ANSWER)


@LIES.row("eof-mid-header")
def eof_mid_header():
    """Cut anywhere, at a few places: what is there is not taken for an answer."""
    for cut in (1, 8, 12, 15, 30, 60, -5, -3, -2, -1):

        def script(caller, cut=cut):
            caller.send(answer(caller.request().key)[:cut])

        meet(script, "--wait", limit=1).failed(ANSWER)


# ---- It has no end


def pours(name, first, block, most):
    """After `first`, `block` comes again and again: the client cuts it off before `most` MiB have been taken."""

    def act():
        sent = []

        def script(caller):
            caller.request()
            caller.send(first)
            try:
                while len(sent) * len(block) < most << 20:
                    caller.send(block)
                    sent.append(1)
            except (Gone, OSError):
                return
            raise AssertionError(f"{most} MiB were taken")

        meet(script, "--wait").failed(ANSWER, REFUSED)

    LIES.rows.append((name, act))


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"
pours("huge-header", SWITCHING + b"X: ", b"x" * 65536, 16)
pours("many-headers", SWITCHING, b"X: y\r\n" * 10_000, 16)
pours("endless-headers", SWITCHING, b"X-Header: value\r\n" * 4000, 64)
pours("endless-status-line", b"HTTP/1.1 101 ", b"x" * 65536, 16)
pours("1xx-flood", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, 32)
pours("1xx-flood-103", b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 2000, 32)
pours("endless-body", b"HTTP/1.1 403 No\r\n\r\n", b"no " * 20_000, 64)
pours("announced-body", b"HTTP/1.1 403 No\r\nContent-Length: 9223372036854775807\r\n\r\n", b"no " * 20_000, 64)
CHUNKED = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
pours("chunked-body", CHUNKED, b"8000\r\n" + bytes(0x8000) + b"\r\n", 64)
pours("chunk-extensions", CHUNKED + b"1;", b"x" * 65536, 16)
pours("chunk-trailers", CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000, 16)


# ---- Leading elsewhere


def redirected(location, times, *options):
    """Every request is answered by a redirect: how many there are."""
    requests = []

    def script(caller):
        requests.append(caller.request().head)
        where = location.format(port=caller.socket.getsockname()[1])
        caller.try_send(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
        assert caller.until_end() == b"", "more on a connection that was redirected"

    meet(script, "--wait", *options, stdin=b"secret\n").failed(REFUSED)
    assert len(requests) in times, f"{location}: {len(requests)} requests"


@LIES.row("redirect-loop")
def redirect_loop():
    """Not followed unless it is asked for, and then not for ever."""
    redirected("ws://127.0.0.1:{port}/", range(1, 2))
    redirected("ws://127.0.0.1:{port}/", range(2, 22), *FOLLOW)
    redirected("/", range(2, 22), *FOLLOW)


@LIES.row("redirect-elsewhere")
def redirect_elsewhere():
    """Nowhere but to another WebSocket."""
    for location in ("file:///etc/passwd", "ftp://127.0.0.1/", "ws+unix:/run/x.sock", "//", "ws://"):
        redirected(location, range(1, 2), *FOLLOW)


@LIES.row("escape-in-status")
def escape_in_status():
    """What a server says does not steer the terminal on which the error is shown (judged by meet and here)."""
    evil = b"\x1b]0;owned\x07\x1b[2J\x9b31m"

    def script(caller):
        caller.request()
        caller.try_send(b"HTTP/1.1 403 " + evil + b"\r\nX: " + evil + b"\r\nContent-Length: 9\r\n\r\n" + evil[:9])
        caller.until_end()

    meet(script, "--wait").failed(REFUSED, ANSWER)
    ours, theirs = os.openpty()
    try:
        meet(script, "--wait", terminal=theirs)
        shown = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown and not set(shown) & {0x1B, 0x07, 0x9B}, shown
