"""tls.py - what is not TLS, is old TLS, or breaks off in the middle of it."""

import random
import socket
import ssl
import subprocess
import time

from program import slack
from suite import Suite, at_once
from wire import TEXT, Gone, Peer, frame, get, opened, random_bytes, request

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


# ---- Behind a good handshake


@SUITE.row("tiny-records")
def tiny_records(program):
    """A record for every byte."""
    with opened(program.port, tls=program.tls_context(), patience=10) as peer:
        for byte in frame(TEXT, b"r" * 3000):
            peer.send(bytes([byte]))
        assert peer.message() == b"r" * 3000


@SUITE.row("slow-records")
def slow_records(program):
    """A record a few bytes at a time, as the network may cut it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = program.tls_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", program.port), timeout=5) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def pump(step):
            """Does a step of TLS, with everything in small pieces on the way out."""
            while True:
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    done = None
                data = outgoing.read()
                for n in range(0, len(data), 7):
                    plain.sendall(data[n : n + 7])
                if done is not None:
                    return done
                incoming.write(plain.recv(65536))

        pump(lambda: secure.do_handshake() or True)
        pump(lambda: secure.write(request()))
        assert pump(lambda: secure.read(4096)).startswith(b"HTTP/1.1 101")
        pump(lambda: secure.write(frame(TEXT, b"s" * 500)))
        heard = b""
        while len(heard) < 504:
            heard += pump(lambda: secure.read(4096))
        assert heard == b"\x81\x7e\x01\xf4" + b"s" * 500


@SUITE.row("server-names")
def server_names(program):
    """Names that are unknown, addresses, or no names at all: the default certificate, or an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("nowhere.example", "127.0.0.1", "x" * 63 + ".example", "xn--nxasmq6b", None):
        with socket.create_connection(("127.0.0.1", program.port), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                secure.sendall(get())
                assert secure.recv(100).startswith(b"HTTP/1.1 200")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    raw = outgoing.read()
    assert raw.count(b"localhost") == 1
    for name in (b"local\0ost", b"\xff" * 9, b"*********", b".........", b"LOCALHOST", b"a b\r\nc d:"):
        with Peer(program.port) as peer:
            peer.try_send(raw.replace(b"localhost", name))
            assert heard(peer) in (None, ALERT, HANDSHAKE), name


@SUITE.row("renegotiation")
def renegotiation(program):
    """A client of TLS 1.2 may not ask for handshake after handshake (CVE-2011-1473)."""
    met = subprocess.run(
        ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{program.port}"],
        input=b"R\n" * 3,
        capture_output=True,
        timeout=slack(10),
        check=False,
    )
    said = met.stdout + met.stderr
    assert b"RENEGOTIATING" in said, "it has not tried"
    assert b"no renegotiation" in said or b"handshake failure" in said or b"unexpected" in said, said[-600:]


@SUITE.row("early-data")
def early_data(program):
    """Tickets allow none: what is sent before the handshake is over could be replayed (RFC 8446 section 8)."""
    met = subprocess.run(
        ["openssl", "s_client", "-tls1_3", "-ign_eof", "-connect", f"127.0.0.1:{program.port}"],
        input=get(more=["Connection: close"]),
        capture_output=True,
        timeout=slack(10),
        check=False,
    )
    assert b"HTTP/1.1 200" in met.stdout, met.stdout[-300:]
    assert b"Max Early Data: 0\n" in met.stdout, "no ticket, or one that allows early data"


@SUITE.row("protocols")
def protocols(program):
    """Who speaks other protocols only is refused (RFC 7301 section 3.2)."""
    for offered, good in ((["h2"], False), (["h2", "http/1.1"], True), (["x" * 255], False)):
        context = program.tls_context()
        context.set_alpn_protocols(offered)
        try:
            with Peer(program.port, tls=context) as peer:
                peer.upgrade()
                assert good, f"{offered} was taken"
        except ssl.SSLError as error:
            assert not good and "no application protocol" in str(error).lower().replace("_", " "), error


@SUITE.row("hello-in-tiny-records")
def hello_in_tiny_records(program):
    """A record for each byte of the hello: goes on, or is refused."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        program.tls_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    message = outgoing.read()[5:]
    with Peer(program.port) as peer:
        peer.try_send(b"".join(b"\x16\x03\x01\x00\x01" + bytes([byte]) for byte in message))
        assert heard(peer) in (None, ALERT, HANDSHAKE)


@SUITE.row("half-done-handshakes")
def half_done_handshakes(program):
    """Hundreds say hello, let the server do its part, and then nothing: cut by the deadline."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        program.tls_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    greeting = outgoing.read()
    peers = [Peer(program.port) for _ in range(300)]
    for peer in peers:
        peer.send(greeting)
    for peer in peers:
        assert heard(peer) == HANDSHAKE
    for peer in peers:
        peer.until_end(1 + slack(3))
        peer.socket.close()
