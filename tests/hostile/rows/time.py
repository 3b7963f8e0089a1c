"""time.py - slow peers and silent ones, with short deadlines: handshake 1 s, a ping after 600 ms, gone 600 ms later."""

import time

from program import slack
from suite import Suite, at_once
from wire import CONT, PING, PONG, TEXT, Gone, Peer, frame, get, opened, request

HANDSHAKE = 1.0
PING_AFTER = 0.6
GONE_AFTER = 0.6
SUITE = Suite("--handshake-timeout", "1s", "--ping", "600ms", "--gone", "600ms", "--close-wait", "1s")


def cut(peer, limit, pieces=(), every=0.1, patient=True):
    """The server must end the connection within `limit`, give or take the machine, while we send one piece after the
    other; and, if it is to be patient, not at once."""
    began = time.monotonic()
    pieces = iter(pieces)
    end = began + limit + slack(1.5)
    while time.monotonic() < end:
        try:
            peer.send(next(pieces, b""))
            peer.buffer = b""
            peer._more(every)
        except TimeoutError:
            continue
        except Gone:
            took = time.monotonic() - began
            assert took > limit * 0.4 or not patient, f"cut after {took:.2f} s already"
            return
    raise AssertionError(f"not cut within {limit} s")


def handshake_row(name, start=b"", pieces=()):
    def act(program):
        before = program.counted("handshake-timeout")
        with Peer(program.port) as peer:
            peer.send(start)
            cut(peer, HANDSHAKE, pieces)
        assert program.counted("handshake-timeout") == before + 1, "handshake-timeout is not counted"

    SUITE.rows.append((name, act))


handshake_row("silent-connect")
handshake_row("slow-headers", pieces=[bytes([byte]) for byte in request()])
handshake_row("slow-header-lines", b"GET / HTTP/1.1\r\n", [b"X-%d: y\r\n" % n for n in range(99)])
handshake_row("partial-request", request()[:60])


@SUITE.row("leading-crlf-drip")
def leading_crlf_drip(program):
    """One empty line before a request is borne (RFC 9112 section 2.2); more may be refused at once."""
    with Peer(program.port) as peer:
        cut(peer, HANDSHAKE, [b"\r\n"] * 99, patient=False)


@SUITE.row("slow-body")
def slow_body(program):
    """Refused from the head alone, or cut."""
    with Peer(program.port) as peer:
        peer.send(get(method="POST", more=["Content-Length: 1000"]))
        peer.until_end(2 * HANDSHAKE + slack(1.5))


@SUITE.row("keepalive-idle")
def keepalive_idle(program):
    with Peer(program.port) as peer:
        peer.send(get())
        assert peer.answer() == 200
        cut(peer, 2 * HANDSHAKE)


@SUITE.row("slowloris-200")
def slowloris(program):
    peers = [Peer(program.port) for _ in range(200)]
    began = time.monotonic()
    raw = request()
    for n in range(8):
        for peer in peers:
            peer.try_send(raw[n : n + 1])
        with opened(program.port) as fresh:
            fresh.echo()
        time.sleep(0.1)
    for peer in peers:
        peer.until_end(began + HANDSHAKE + slack(2) - time.monotonic())
        peer.socket.close()


@SUITE.row("idle-half-open")
def idle_half_open(program):
    """No pong ever."""
    before = program.counted("heartbeat")
    with opened(program.port) as peer:
        cut(peer, PING_AFTER + GONE_AFTER)
    assert program.counted("heartbeat") == before + 1


@SUITE.row("idle-mid-frame")
def idle_mid_frame(program):
    with opened(program.port) as peer:
        peer.send(frame(TEXT, b"half", announce=100))
        cut(peer, PING_AFTER + GONE_AFTER)


@SUITE.row("idle-live-peer")
def idle_live_peer(program):
    """A silent peer that answers pings stays."""
    with opened(program.port) as peer:
        pings = 0
        end = time.monotonic() + 2.5 * (PING_AFTER + GONE_AFTER)
        while time.monotonic() < end:
            try:
                peer.patience = 0.2
                got = peer.next()
            except TimeoutError:
                continue
            assert got.opcode == PING, got
            peer.send(frame(PONG, got.payload))
            pings += 1
        assert pings >= 2, f"{pings} pings"
        peer.patience = 5
        peer.echo()


@SUITE.row("patient-fragments")
def patient_fragments(program):
    """A message may take its time, as long as the peer shows that it lives."""
    with opened(program.port) as peer:
        peer.send(frame(TEXT, b"be", fin=False))
        for _ in range(8):
            time.sleep(0.25)
            peer.send(frame(PONG))
        peer.send(frame(CONT, b"fore"))
        assert peer.message() == b"before"


@SUITE.row("many-half-open")
def many_half_open(program):
    def act(_):
        with opened(program.port) as peer:
            peer.until_end(PING_AFTER + GONE_AFTER + slack(2))

    at_once(100, act, threads=100)
