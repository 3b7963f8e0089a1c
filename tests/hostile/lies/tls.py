"""tls.py - certificates that prove nothing, TLS that is none, and ends without a close_notify."""

import os
import socket
import ssl
import subprocess
import tempfile

import wire
from liar import DROPPED, TLS, WARNING, Lies, answer, closing, frame, meet
from wire import TEXT

LIES = Lies()


class Authority:
    """A CA of the test's own, made by the openssl program, and what it signs."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        self.certificate = self.path("ca.pem")
        self._make("ca", "-x509", "-days", "2", "-subj", "/CN=Test CA", "-addext", "basicConstraints=critical,CA:TRUE")

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def _make(self, name, *arguments):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem")]
        self._openssl("req", *curve, *files, *arguments)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def signed(self, common, names, days=2):
        """The server context of a certificate that it has signed."""
        name = f"leaf{len(os.listdir(self.directory.name))}"
        self._make(name, "-subj", f"/CN={common}")
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        os.rename(self.path(name + ".pem"), self.path(name + ".csr"))
        self._openssl(
            *["x509", "-req", "-in", self.path(name + ".csr"), "-out", self.path(name + ".pem"), "-days", str(days)],
            *["-CA", self.certificate, "-CAkey", self.path("ca.key"), "-extfile", self.path(name + ".ext")],
        )
        return self._context(name)

    def self_signed(self):
        self._make("self", "-x509", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        return self._context("self")

    def _context(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        return context


CA = Authority()
GOOD = CA.signed("anything", "DNS:localhost,IP:127.0.0.1")
TRUST = ("--cacert", CA.certificate)


def hello(caller):
    caller.accept()
    caller.send(frame(TEXT, b"hello"), closing(1000))
    caller.ended_with(1000)


def refused(context, *options, host="localhost"):
    """No byte of the request leaves."""
    met = meet(hello, "--wait", *options, tls=context, host=host, stdin=b"secret\n").failed(TLS)
    for caller in met.callers:  # who verifies after the server has finished, as TLS 1.3 has it, gets as far as here
        assert not hasattr(caller, "head") and caller.buffer == b"", "a request was sent"
    assert "tls" in met.err.lower() or "certificate" in met.err.lower(), met.err


@LIES.row("control")
def control():
    meet(hello, "--wait", *TRUST, tls=GOOD, host="localhost").succeeded(b"hello\n")
    meet(hello, "--wait", *TRUST, tls=GOOD, host="127.0.0.1").succeeded(b"hello\n")
    met = meet(hello, "--wait", "--insecure", tls=CA.self_signed(), host="localhost").succeeded(b"hello\n")
    assert WARNING in met.err


@LIES.row("unknown-authority")
def unknown_authority():
    """Nobody has heard of this CA unless he was told."""
    refused(GOOD)


@LIES.row("self-signed")
def self_signed():
    refused(CA.self_signed(), *TRUST)


@LIES.row("wrong-host")
def wrong_host():
    for names in ("DNS:evil.example", "DNS:localhost.evil.example", "DNS:*.localhost", "DNS:*", "IP:127.0.0.1"):
        refused(CA.signed("anything", names), *TRUST)
    refused(CA.signed("anything", "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.2"), *TRUST, host="127.0.0.1")


@LIES.row("cn-only-match")
def cn_only_match():
    refused(CA.signed("localhost", "DNS:evil.example"), *TRUST)


@LIES.row("expired")
def expired():
    refused(CA.signed("anything", "DNS:localhost", days=-1), *TRUST)


@LIES.row("old-versions")
def old_versions():
    context = CA.signed("anything", "DNS:localhost")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    refused(context, *TRUST)


def plain(name, *inputs):
    """Not TLS at all."""

    def act():
        for data in inputs:

            def script(caller, data=data):
                caller.try_send(data)
                heard = caller.until_end()
                assert b"GET" not in heard and b"Upgrade" not in heard, "a request was sent"

            meet(script, "--wait", *TRUST, host="localhost", stdin=b"secret\n").failed(TLS)

    LIES.rows.append((name, act))


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
plain("garbage", bytes(range(256)), b"\x16\x03\x03\xff\xff" + bytes(65535), ALERT, b"\xff" * 70_000)
plain("plaintext", answer(wire.KEY) + frame(TEXT, b"hello"))


@LIES.row("truncated")
def truncated():
    """FIN without a close_notify and without a close frame: not an end that anybody may trust."""

    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"hello"))
        # Closing the descriptor sends no close_notify.

    meet(script, "--wait", *TRUST, tls=GOOD, host="localhost").failed(DROPPED, TLS, printed=b"hello\n")


@LIES.row("garbage-behind-handshake")
def garbage_behind_handshake():
    """Records that do not decrypt."""

    def script(caller):
        caller.accept()
        with socket.socket(fileno=caller.socket.detach()) as raw:
            raw.settimeout(caller.patience)
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            while raw.recv(65536):
                pass

    meet(script, "--wait", *TRUST, tls=GOOD, host="localhost").failed(DROPPED)
