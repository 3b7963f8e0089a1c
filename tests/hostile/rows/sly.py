"""sly.py - what is legal one by one, ambiguous, or says that it is someone else."""

import re
import time

from program import Program, slack, until
from suite import Suite, at_once
from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, Gone, Peer, closing, frame, get, opened, request

SUITE = Suite("--close-wait", "1s")
REFUSED = range(400, 600)
HIDDEN = get("/hidden")


def status_lines(data):
    return re.findall(rb"HTTP/1\.1 (\d+)", data)


def post(*fields):
    return get(method="POST", more=fields)


# ---- Where a request ends (RFC 9112 sections 6 and 11.2)

SUITE.answered(
    "smuggling",
    post("Transfer-Encoding:\tchunked", "Content-Length: 4") + b"0\r\n\r\n" + HIDDEN,
    post("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + b"0\r\n\r\n" + HIDDEN,
    post("Transfer-Encoding : chunked") + b"0\r\n\r\n" + HIDDEN,
    post("Transfer-Encoding: chunked", "Content-Length: 0") + HIDDEN,
    post("Content-Length: 0", "Content-Length: 44") + HIDDEN,
    post("Content-Length: 0x2c") + HIDDEN,
    post("Transfer-Encoding: chunked") + b"0;\n\r\n\r\n" + HIDDEN,
    post("Transfer-Encoding: chunked") + b"2\r\nabX\r\n0\r\n\r\n" + HIDDEN,
    post("Transfer-Encoding: chunked") + b"0\r\nContent-Length: 44\r\nbad line\r\n\r\n" + HIDDEN,
    by=REFUSED,
)


@SUITE.row("pipelined-requests")
def pipelined_requests(program):
    """Each is answered, in their order; an upgrade may be the last of them."""
    with Peer(program.port) as peer:
        peer.send(get("/healthz"), get("/nothing"), get("/healthz"), request(), frame(TEXT, b"behind"))
        assert [peer.answer() for _ in range(4)] == [200, 404, 200, 101]
        assert peer.message() == b"behind"


@SUITE.row("request-behind-upgrade")
def request_behind_upgrade(program):
    """It is no frame (RFC 6455 section 5.1), and is never answered as a request."""
    with opened(program.port) as peer:
        peer.send(HIDDEN)
        assert peer.ended() == 1002


@SUITE.row("many-cookies")
def many_cookies(program):
    cookies = "; ".join(f"name{n}={n}" for n in range(400))
    for more in ([f"Cookie: {cookies}"], [f"Cookie: session={n}" for n in range(60)]):
        with Peer(program.port) as peer:
            peer.send(request(more=more))
            assert peer.answer() == 101
            peer.echo()


@SUITE.row("many-ranges")
def many_ranges(program):
    """CVE-2011-3192: so many ranges of a file are not answered by so many parts."""
    with Peer(program.port) as peer:
        peer.send(get("/", more=["Range: bytes=" + ",".join("0-" for _ in range(1000))]))
        assert peer.answer() in (200, 416)


SUITE.answered(
    "origin-nearly",
    *[
        request(origin=origin)
        for origin in ("http://localhost.", "http://localhost:444", "http://localhost@evil.example", "localhost", "file://")
    ],
    request(more=["Origin: http://localhost", "Origin: http://evil.example"]),
    by=(400, 403),
)


# ---- Who it is

@SUITE.row("forwarded-for")
def forwarded_for(_):
    """Only the address that the kernel knows counts, for the limit and in the log."""
    with Program("--max-connections-per-address", "5") as program:
        peers = []
        for n in range(5):
            peer = Peer(program.port)
            peer.send(request(more=[f"X-Forwarded-For: 203.0.113.{n}", f"Forwarded: for=203.0.113.{n}", "X-Real-IP: 1.2.3.4"]))
            assert peer.answer() == 101
            peers.append(peer)
        with Peer(program.port) as peer:
            peer.try_send(request(more=["X-Forwarded-For: 203.0.113.99"]))
            assert peer.answer() in (0, 429)
        assert "203.0.113" not in program.text()
        for peer in peers:
            peer.socket.close()


SUITE.answered(
    "proxy-protocol",
    b"PROXY TCP4 203.0.113.1 203.0.113.2 1 2\r\n" + request(),
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + request(),
    b"PROXY " + b"x" * 65536,
    by=(0, 400, 414, 431),
)


# ---- Topics

@SUITE.row("topic-names")
def topic_names(program):
    """A name is a name: no pattern, no path, no command; and one that is no text, or too long, is refused."""
    with at(program, "/topic/plain") as plain:
        for name in ("*", "%3F", "[a-z]lain", "plai%6e%20", "..", "../plain", "%2e%2e%2fplain", "a%2Fb", "__keyspace@0__:*"):
            with Peer(program.port) as peer:
                peer.send(request(f"/topic/{name}"))
                if peer.answer() == 101:
                    peer.send(frame(TEXT, b"to whom?"))
        for name in ("", "%00", "a%0d%0aPUBLISH%20x", "%ff", "%ed%a0%80", "%c0%af", "x" * 256, "%1b[2J", "x" * 9000):
            with Peer(program.port) as peer:
                peer.try_send(request(f"/topic/{name}"))
                assert peer.answer() in REFUSED, name
        with at(program, "/topic/plain") as other:
            other.send(frame(TEXT, b"to plain"))
            assert plain.message() == b"to plain", "something else came first"


def at(program, target):
    peer = Peer(program.port)
    peer.upgrade(target=target)
    return peer


def gauge(program, name):
    return float(re.search(rf"^{name} (.*)$", program.get("/metrics"), re.M)[1])


@SUITE.row("topic-flood")
def topic_flood(program):
    """Thousands of topics, eight at a time: they go with those who listen."""
    before = gauge(program, "swale_topics")

    def act(n):
        peers = [at(program, f"/topic/{n}-{m}") for m in range(50)]
        for peer in peers:
            peer.send(frame(TEXT, b"nobody hears"))
        for peer in peers:
            peer.reset()

    at_once(60, act)
    until(lambda: gauge(program, "swale_topics") <= before, slack(10), "the topics gone")
    assert gauge(program, "swale_subscriptions") == 0


# ---- Games with frames

@SUITE.row("pings-between-fragments")
def pings_between_fragments(program):
    """As many fragments as are allowed, of a byte each, with a ping between any two: the message comes whole."""
    with opened(program.port, patience=slack(10)) as peer:
        pieces = frame(TEXT, b"x", fin=False) + (frame(PING, b"?") + frame(CONT, b"x", fin=False)) * 4000
        peer.send(pieces, frame(CONT, b"x"))
        pongs = 0
        while (got := peer.next()).opcode == PONG:
            pongs += 1
        assert got.opcode == TEXT and got.payload == b"x" * 4002
        assert pongs >= 1


@SUITE.row("read-now-and-then")
def read_now_and_then(program):
    """Reads a little, rests, and so on, with messages of every size on their way: nothing is lost or out of order."""
    with opened(program.port, patience=slack(20)) as peer:
        sizes = [(n * 7919) % 30_000 for n in range(300)]
        waiting = 0
        for n, size in enumerate(sizes):
            peer.send(frame(BINARY, n.to_bytes(4, "big") + bytes(size)))
            if n - waiting > 20:
                for _ in range(15):
                    assert peer.message()[:4] == waiting.to_bytes(4, "big")
                    waiting += 1
                time.sleep(0.005)
        for n in range(waiting, len(sizes)):
            assert peer.message() == n.to_bytes(4, "big") + bytes(sizes[n])


@SUITE.row("half-open-closings")
def half_open_closings(program):
    """Hundreds begin to close, or make the server do so, and neither read nor hang up: all are gone in time."""
    before = program.descriptors()
    peers = [opened(program.port) for _ in range(300)]
    for n, peer in enumerate(peers):
        peer.send(closing(1000) if n % 3 else frame(3))
    began = time.monotonic()
    until(lambda: program.descriptors() <= before, slack(5), "all gone")
    took = time.monotonic() - began
    for peer in peers:
        peer.socket.close()
    assert took <= slack(3), f"{took:.1f} s for a close wait of 1 s"


@SUITE.row("talking-into-a-close")
def talking_into_a_close(program):
    """One that has been closed for an error goes on sending, and never reads: it is let go all the same."""
    peer = opened(program.port)
    peer.send(frame(3))
    peer.socket.settimeout(0.2)
    end = time.monotonic() + slack(4)
    while peer.try_send(frame(BINARY, bytes(60_000))):
        assert time.monotonic() < end, "still there"
    peer.socket.close()


@SUITE.row("ping-as-life")
def ping_as_life(program):
    """Pings from the peer are answered as often as it has room for the answers, and no more of them are kept."""
    with opened(program.port, patience=slack(10)) as peer:
        for n in range(200):
            peer.send(frame(PING, n.to_bytes(125, "big")) * 50)
        peer.send(frame(TEXT, b"mark"))
        last = -1
        while (got := peer.next()).opcode == PONG:
            number = int.from_bytes(got.payload, "big")
            assert number >= last, "an older pong after a newer"
            last = number
        assert got.payload == b"mark" and last == 199


@SUITE.row("closed-in-pieces")
def closed_in_pieces(program):
    """A close frame a byte at a time, between other peers' messages."""
    with opened(program.port) as peer:
        for byte in closing(4321, b"slowly"):
            peer.send(bytes([byte]))
        got = peer.next()
        assert (got.opcode, got.payload[:2]) == (CLOSE, (4321).to_bytes(2, "big"))
        try:
            peer.until_end()
        except Gone:
            pass
