"""control.py - servers that do no wrong, however oddly: without these, a client that refuses all would pass."""

import base64
import time

from liar import CLOSED, Lies, answer, closing, frame, meet
from wire import CLOSE, CONT, PING, PONG, TEXT, close_code

LIES = Lies()


@LIES.row("echo")
def echo():
    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"hello"))
        got = caller.next()
        assert (got.opcode, got.fin, got.rsv, got.payload) == (TEXT, True, 0, b"one line")
        caller.send(frame(TEXT, got.payload), closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait", stdin=b"one line\n").succeeded(b"hello\none line\n")


@LIES.row("without-wait")
def without_wait():
    """At the end of its input the client says what it had to say, and closes."""

    def script(caller):
        caller.accept()
        assert [caller.next().payload for _ in range(2)] == [b"a", b"b"]
        caller.ended_with(1000)

    meet(script, stdin=b"a\nb\n").succeeded(b"")


@LIES.row("byte-by-byte")
def byte_by_byte():
    def script(caller):
        caller.request()
        for byte in answer(caller.key) + frame(TEXT, "grüße".encode()) + closing(1000):
            caller.send(bytes([byte]))
            time.sleep(0.001)
        caller.ended_with(1000)

    meet(script, "--wait").succeeded("grüße\n".encode())


@LIES.row("in-one-segment")
def in_one_segment():
    """The first messages, and the end, come with the answer."""

    def script(caller):
        caller.request()
        caller.send(answer(caller.key) + frame(TEXT, b"early") + frame(TEXT, b"bird") + closing(1001))
        caller.ended_with(1001)

    meet(script, "--wait").succeeded(b"early\nbird\n")


@LIES.row("case-insensitive")
def case_insensitive():
    def script(caller):
        caller.request()
        made = answer(caller.key, Upgrade="WebSocket", Connection="keep-alive, UPGRADE")
        caller.send(made.replace(b"Sec-WebSocket-Accept", b"sEC-wEBsOCKET-aCCEPT").replace(b"Upgrade:", b"UPGRADE:"))
        caller.send(frame(TEXT, b"ok"), closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait").succeeded(b"ok\n")


@LIES.row("other-reason-phrases")
def other_reason_phrases():
    for first in ("HTTP/1.1 101 ", "HTTP/1.1 101 Web Socket Protocol Handshake", "HTTP/1.1 101 200 OK"):

        def script(caller, first=first):
            caller.accept(first=first)
            caller.send(closing(1000))
            caller.ended_with(1000)

        meet(script, "--wait").succeeded(b"")


@LIES.row("interim-answers")
def interim_answers():
    """A few of them are no answer yet (RFC 9110 section 15.2)."""

    def script(caller):
        caller.request()
        caller.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer(caller.key))
        caller.send(frame(TEXT, b"ok"), closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait").succeeded(b"ok\n")


@LIES.row("fragments-and-pings")
def fragments_and_pings():
    """A message with a character cut in two; pings in between are answered before it is whole."""
    text = "ab€cd".encode()

    def script(caller):
        caller.accept()
        for cut in range(len(text) + 1):
            caller.send(frame(TEXT, text[:cut], fin=False), frame(PING, b"%d" % cut), frame(CONT, b"", fin=False))
            got = caller.next()
            assert (got.opcode, got.payload) == (PONG, b"%d" % cut)
            caller.send(frame(CONT, text[cut:]))
        caller.send(closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait").succeeded((text + b"\n") * (len(text) + 1))


@LIES.row("lengths")
def lengths():
    sizes = (0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20)

    def script(caller):
        caller.accept()
        caller.send(*[frame(TEXT, b"x" * size) for size in sizes], closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait").succeeded(b"".join(b"x" * size + b"\n" for size in sizes))


@LIES.row("masking-keys")
def masking_keys():
    """40 pongs carry 40 keys that cannot be foreseen (RFC 6455 section 5.3)."""

    def script(caller):
        caller.accept()
        keys = []
        for n in range(40):
            caller.send(frame(PING, b"%d" % n))
            got = caller.next()
            assert (got.opcode, got.payload) == (PONG, b"%d" % n)
            keys.append(got.mask)
        assert len(set(keys)) == 40 and bytes(4) not in keys, f"keys: {keys}"
        assert keys not in (sorted(keys), sorted(keys, reverse=True)), "the keys are in order"
        caller.send(closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait").succeeded(b"")


@LIES.row("request-form")
def request_form():
    """As RFC 6455 section 4.1 has it; and the key is another in the next run."""
    keys = set()

    def script(caller):
        caller.accept()
        assert caller.head.startswith(b"GET /chat?room=1%202 HTTP/1.1\r\n"), caller.head
        port = caller.socket.getsockname()[1]
        assert caller.field("host") == f"127.0.0.1:{port}"
        assert caller.field("upgrade").lower() == "websocket"
        assert "upgrade" in caller.field("connection").lower()
        assert caller.field("sec-websocket-version") == "13"
        assert caller.field("sec-websocket-extensions") is None and caller.field("sec-websocket-protocol") is None
        assert caller.field("origin") is None and caller.field("cookie") is None
        assert len(base64.b64decode(caller.key, validate=True)) == 16
        keys.add(caller.key)
        caller.send(closing(1000))
        caller.ended_with(1000)

    for _ in range(3):
        meet(script, "--wait", path="/chat?room=1%202").succeeded(b"")
    assert len(keys) == 3, f"keys: {keys}"


@LIES.row("close-codes")
def close_codes():
    """1000 and 1001 are clean ends; what an application means by a code of its own, it has to say itself."""

    def ends(code):
        def script(caller):
            caller.accept()
            caller.send(frame(TEXT, b"last"), closing(code))
            got = caller.next()
            assert got.opcode == CLOSE and close_code(got) == (code or 1005), got
            caller.until_end() if code == 1001 else None  # who closes TCP first is the server

        return meet(script, "--wait")

    for code in (1000, 1001):
        ends(code).succeeded(b"last\n")
    for code in (1011, 1012, 3000, 4999):
        ends(code).failed(CLOSED, printed=b"last\n")
