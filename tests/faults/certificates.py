"""certificates.py - certificates change under load: SIGHUP. Connections go on, new ones get the new certificate, and one
that is no good stays out."""

import shutil
import signal
import socket
import ssl
import threading
import time

from faults import Faults, undisturbed
from herd import Herd
from program import Certificate, Program, slack, until
from wire import opened

FAULTS = Faults()


def shown(port):
    """The certificate that a new connection sees, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=slack(5)) as plain:
        with context.wrap_socket(plain) as secure:
            return secure.getpeercert(True)


def install(certificate, place):
    shutil.copyfile(certificate.certificate, place.certificate)
    shutil.copyfile(certificate.key, place.key)


def in_der(certificate):
    with open(certificate.certificate, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


class Visitors(threading.Thread):
    """Handshakes all the time; each must succeed, with one of the certificates that were ever installed."""

    def __init__(self, port, allowed):
        super().__init__(daemon=True)
        self.port, self.allowed = port, allowed
        self.done, self.failure, self.count = threading.Event(), None, 0

    def run(self):
        try:
            while not self.done.is_set():
                assert shown(self.port) in self.allowed, "a certificate that nobody installed"
                self.count += 1
        except (AssertionError, OSError) as error:
            self.failure = error

    def leave(self):
        self.done.set()
        self.join()
        assert self.failure is None, f"a handshake failed: {self.failure}"
        return self.count


def reloaded(program, lines):
    return any("certificates reloaded" in line for line in program.log[lines:])


@FAULTS.fault("swap")
def swap():
    place, others = Certificate(), [Certificate() for _ in range(3)]
    first = Certificate()
    install(first, place)
    allowed = [in_der(certificate) for certificate in (first, *others)]
    with Program(tls=place) as program:
        # The herd and the bystander trust the first certificate only: their connections must last.
        trusted = Trusting(program, first)
        with undisturbed(trusted), Herd(f"wss://localhost:{program.port}/echo", 100, first) as herd:
            herd.until_whole(20)
            visitors = [Visitors(program.port, allowed) for _ in range(3)]
            for visitor in visitors:
                visitor.start()
            memory = 0
            for n in range(30):
                lines = len(program.log)
                install(others[n % 3], place)
                program.signal(signal.SIGHUP)
                until(lambda lines=lines: reloaded(program, lines), slack(5), "the reload")
                assert shown(program.port) == in_der(others[n % 3]), "not the new certificate"
                memory = memory if n != 9 else program.memory()
            handshakes = sum(visitor.leave() for visitor in visitors)
            grown = program.memory() - memory
            assert grown < slack(3 * 1024), f"{grown} KiB kept by 20 reloads"
            install(first, place)
            lines = len(program.log)
            program.signal(signal.SIGHUP)
            until(lambda: reloaded(program, lines), slack(5), "the reload")
            figures = herd.figures()
            assert figures["openings"] == figures["open"] == 100, f"connections were lost: {figures}"
    return f"30 swaps, {handshakes} handshakes meanwhile, 100 connections kept"


class Trusting:
    """The program as someone sees it who trusts a certificate of his own choice."""

    def __init__(self, program, certificate):
        self.program, self.certificate = program, certificate

    def tls_context(self):
        return self.certificate.context()

    def __getattr__(self, name):
        return getattr(self.program, name)


@FAULTS.fault("no-good")
def no_good():
    """A key of another certificate, half a file, no file, an empty one: a line in the log, and the old one stays."""
    place, first, other = Certificate(), Certificate(), Certificate()
    install(first, place)
    with Program(tls=place) as program, undisturbed(Trusting(program, first)):
        with opened(program.port, tls=first.context()) as peer:
            for damage in ("mismatch", "half", "empty", "gone"):
                lines = len(program.log)
                if damage == "mismatch":
                    shutil.copyfile(other.certificate, place.certificate)
                elif damage == "half":
                    with open(place.certificate, "r+b") as file:
                        file.truncate(200)
                elif damage == "empty":
                    open(place.certificate, "wb").close()
                else:
                    shutil.move(place.certificate, place.certificate + ".away")
                program.signal(signal.SIGHUP)
                until(lambda lines=lines: any(" tls " in line for line in program.log[lines:]), slack(5), "a line")
                assert not reloaded(program, lines), f"{damage}: taken"
                assert shown(program.port) == in_der(first), f"{damage}: not the old certificate"
                peer.echo()
                time.sleep(0.01)
            install(first, place)
            lines = len(program.log)
            program.signal(signal.SIGHUP)
            until(lambda: reloaded(program, lines), slack(5), "the reload")
