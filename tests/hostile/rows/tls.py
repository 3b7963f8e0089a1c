"""tls.py - what is not TLS, is old TLS, or breaks off in the middle of it."""

import random
import socket
import time

from program import slack
from suite import Suite, at_once
from wire import Gone, Peer, get, opened, random_bytes, request

SUITE = Suite("--handshake-timeout", "1s", "--close-wait", "1s", tls=True)
ALERT, HANDSHAKE = 0x15, 0x16


def hello(version, length=None):
    """A ClientHello of an old version, with two ciphers of its time."""
    body = version + bytes(32) + b"\0" + bytes.fromhex("0004 c013 002f") + b"\x01\0"
    body = b"\x01" + (len(body) if length is None else length).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body


def heard(peer):
    """The first byte that the server says, None when it says nothing and goes."""
    try:
        return peer.take(1)[0]
    except Gone:
        return None


def dropped(name, *inputs):
    """Answered by an alert, or not at all, and then closed within the handshake's limit."""

    def act(program):
        for data in inputs:
            with Peer(program.port) as peer:
                peer.try_send(data)
                assert heard(peer) in (None, ALERT), f"{data[:30].hex(' ')} was taken"
                peer.until_end(1 + slack(2))

    SUITE.rows.append((name, act))


@SUITE.row("control")
def control(program):
    with opened(program.port, tls=program.tls_context()) as peer:
        assert peer.socket.version() in ("TLSv1.2", "TLSv1.3")
        peer.echo(b"x" * 70_000)
    assert "swale" in program.get("/metrics")


@SUITE.row("plain-on-tls")
def plain_on_tls(program):
    """400, an alert, or nothing."""
    for raw in (get(), request()):
        with Peer(program.port) as peer:
            peer.try_send(raw)
            assert heard(peer) in (None, ALERT, ord("H"))
            peer.until_end(1 + slack(2))


GENERATOR = random.Random(11)
dropped(
    "garbage-records",
    b"\x16\x03\x01\xff\xff" + bytes(65535),
    b"\x16\x03\x01\x00\x00" * 1000,
    b"\x18\x03\x02\x00\x03\x01\x40\x00",
    b"\x17\x03\x03\x00\x10" + bytes(16),
    b"\x16\x09\x09\x00\x05hello",
    b"\x80\x2e\x01\x00\x02" + bytes(44),
    *[b"\x16\x03\x01\x02\x00" + random_bytes(GENERATOR, 512) for _ in range(10)],
    *[random_bytes(GENERATOR, 600) for _ in range(5)],
)
dropped("old-versions", hello(b"\x03\x00"), hello(b"\x03\x01"), hello(b"\x03\x02"))
dropped("partial-hello", hello(b"\x03\x03")[:30], hello(b"\x03\x03", length=(1 << 24) - 1), b"\x16")


@SUITE.row("hello-drip")
def hello_drip(program):
    raw = hello(b"\x03\x03")
    with Peer(program.port) as peer:
        began = time.monotonic()
        for byte in raw:
            if not peer.try_send(bytes([byte])):
                break
            time.sleep(0.03)
        peer.until_end(max(0.1, began + 1 + slack(2) - time.monotonic()))


@SUITE.row("silent-behind-tls")
def silent_behind_tls(program):
    """The limit of the handshake covers both, TLS and HTTP."""
    with Peer(program.port, tls=program.tls_context()) as peer:
        peer.until_end(1 + slack(2))


@SUITE.row("rst-mid-handshake")
def rst_mid_handshake(program):
    raw = hello(b"\x03\x03")

    def act(n):
        peer = Peer(program.port)
        peer.try_send(raw[: 1 + n % len(raw)])
        peer.reset()

    at_once(100, act)


@SUITE.row("truncation")
def truncation(program):
    """FIN or RST without a close_notify."""

    def act(n):
        peer = opened(program.port, tls=program.tls_context())
        if n % 2:
            peer.reset()
        else:
            peer.socket.close()

    at_once(60, act)


@SUITE.row("garbage-behind-handshake")
def garbage_behind_handshake(program):
    """Records that don't decrypt end the connection."""
    context = program.tls_context()
    for junk in (b"\x17\x03\x03\x00\x20" + bytes(32), b"plain text"):
        with opened(program.port, tls=context) as peer:
            raw = peer.socket.detach()
            with socket.socket(fileno=raw) as plain:
                plain.settimeout(5)
                plain.sendall(junk)
                while plain.recv(65536):
                    pass
