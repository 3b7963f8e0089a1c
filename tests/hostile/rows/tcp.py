"""tcp.py - peers that vanish, by FIN or RST, at every moment."""

import socket
import time

from suite import Suite, at_once
from wire import BINARY, TEXT, Gone, Peer, frame, opened, request

SUITE = Suite("--close-wait", "1s", "--max-connections-per-address", "off")


@SUITE.row("rst-after-connect")
def rst_after_connect(program):
    at_once(500, lambda _: Peer(program.port).reset())


@SUITE.row("rst-mid-handshake")
def rst_mid_handshake(program):
    raw = request()

    def act(n):
        peer = Peer(program.port)
        peer.send(raw[: 1 + n % (len(raw) - 1)])
        peer.reset()

    at_once(300, act)


@SUITE.row("rst-after-request")
def rst_after_request(program):
    def act(_):
        peer = Peer(program.port)
        peer.send(request())
        peer.reset()

    at_once(200, act)


@SUITE.row("rst-mid-frame")
def rst_mid_frame(program):
    raw = frame(TEXT, b"never finished" * 20)

    def act(n):
        peer = opened(program.port)
        peer.send(raw[: 1 + n % (len(raw) - 1)])
        peer.reset()

    at_once(200, act)


@SUITE.row("rst-during-echo")
def rst_during_echo(program):
    raw = frame(BINARY, bytes(1 << 20))

    def act(_):
        peer = opened(program.port)
        peer.try_send(raw)
        peer.reset()

    at_once(100, act)


@SUITE.row("fin-mid-frame")
def fin_mid_frame(program):
    def act(_):
        with opened(program.port) as peer:
            peer.send(frame(TEXT, b"half of it", announce=100))
            peer.socket.shutdown(socket.SHUT_WR)
            peer.ended()

    at_once(100, act)


@SUITE.row("half-close")
def half_close(program):
    """FIN without a close frame, also before the handshake: the server ends its side."""
    with opened(program.port) as peer:
        peer.socket.shutdown(socket.SHUT_WR)
        peer.ended()
    for raw in (b"", request()[:40]):
        with Peer(program.port) as peer:
            peer.send(raw)
            peer.socket.shutdown(socket.SHUT_WR)
            peer.until_end()


@SUITE.row("half-close-behind-messages")
def half_close_behind(program):
    """What came before the FIN may be answered, and the connection ends."""
    with opened(program.port) as peer:
        peer.send(frame(TEXT, b"last words"))
        peer.socket.shutdown(socket.SHUT_WR)
        peer.ended()


@SUITE.row("idle-connections")
def idle_connections(program):
    peers = [Peer(program.port) for _ in range(500)]
    time.sleep(1)
    for peer in peers:
        peer.socket.close()


@SUITE.row("reconnect-storm")
def reconnect_storm(program):
    def act(_):
        try:
            peer = opened(program.port)
            peer.echo()
            peer.reset()
            return True
        except (OSError, Gone):
            return False

    served = sum(at_once(1000, act))
    assert served >= 990, f"{served} of 1000 were served"


@SUITE.row("urgent-data")
def urgent_data(program):
    with opened(program.port) as peer:
        peer.socket.send(b"!", socket.MSG_OOB)
        peer.echo()
    with Peer(program.port) as peer:
        peer.socket.send(b"!", socket.MSG_OOB)
        peer.send(request())
        assert peer.answer() in (101, 400)
