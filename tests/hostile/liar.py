"""liar.py - a server that says whatever a test wants, and `swale connect` against it.

    def script(caller):             # one call for each connection, on a thread of its own
        caller.accept()
        caller.send(frame(TEXT, b"hello"), closing(1000))
        caller.code = caller.ended()

    met = meet(script, "--wait")    # runs the program, and both to their ends
    met.status, met.out, met.err, met.callers[0].code

Whatever the script does, meet() fails unless the program ends by itself, in time, without a crash, within bounds of
memory, and with one clean line on standard error if it failed and none if it did not.
"""

import base64
import functools
import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import wire
from wire import CLOSE, Gone, Wire

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from program import REPORT, SANITIZER_OPTIONS, slack  # noqa: E402

LIMIT = 5.0  # seconds in which the program has ended
PEAK = 48 * 1024  # KiB of resident memory, at most
# Exit statuses, as swale-connect(1) has them.
CONNECT, TLS, REFUSED, ANSWER, TIMEOUT, CLOSED, DROPPED, PROTOCOL = 4, 6, 7, 8, 9, 10, 11, 12
WARNING = "swale connect: WARNING: --insecure"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

frame = functools.partial(wire.frame, mask=None)


def closing(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def answer(key, first="HTTP/1.1 101 Switching Protocols", without=(), more=(), eol=b"\r\n", **change):
    """The bytes of an answer to the upgrade, changed as wire.request() is."""
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_of(key)}
    fields |= {name.replace("_", "-"): value for name, value in change.items()}
    lines = [first, *[f"{name}: {value}" for name, value in fields.items() if name not in without], *more]
    raw = [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    return eol.join(raw) + eol + eol


class Caller(Wire):
    """A client, as the server sees it."""

    MASK = None

    def request(self):
        """Reads the request's head; `key` is its Sec-WebSocket-Key."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.key = self.field("sec-websocket-key")
        return self

    def field(self, name):
        """The value of a field of the request, None without it, "a, b" for several."""
        pairs = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        found = [value.strip().decode("latin-1") for key, _, value in pairs if key.strip().lower() == name.encode()]
        return ", ".join(found) if found else None

    def accept(self, **change):
        self.request()
        self.send(answer(self.key, **change))
        return self

    def finish(self):
        """FIN, and still listening."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise Gone from error

    def ended_with(self, *codes):
        """Fails unless the client ends the connection by a close frame of one of these codes."""
        code = self.ended()
        assert code in codes, f"the client closed with {code}, not one of {codes}"


class Liar:
    """Listens, and gives each connection to the script. The first failure of a script is kept."""

    def __init__(self, script, tls=None, patience=None):
        self.script, self.tls = script, tls
        self.patience = patience or slack(LIMIT)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.callers, self.threads = [], []
        self.failure = None
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connected,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _wrapped(self, connected):
        try:
            return self.tls.wrap_socket(connected, server_side=True) if self.tls else connected
        except ssl.SSLError as error:  # the client does not go on
            raise Gone from error

    def _serve(self, connected):
        with connected:
            try:
                connected.settimeout(self.patience)
                with Caller(self._wrapped(connected), self.patience) as caller:
                    self.callers.append(caller)
                    self.script(caller)
            except (Gone, ConnectionError):
                pass  # whether it might go is for the row to say, by what it has noted
            except Exception as error:  # pylint: disable=broad-except
                self.failure = self.failure or error

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()
        for thread in self.threads:
            thread.join(self.patience)
            assert not thread.is_alive(), "the script did not end with the program"


class Met:
    """How it went: the exit status, what was printed, how long it took (s) and the peak of memory (KiB)."""

    def __init__(self, status, out, err, seconds, peak):
        self.status, self.out, self.err, self.seconds, self.peak = status, out, err, seconds, peak
        self.callers = []

    def failed(self, *statuses, printed=b""):
        assert self.status in statuses, f"exit status {self.status}, not one of {statuses}: {self.err.strip()}"
        assert self.out == printed, f"printed {self.out[:200]!r}"
        return self

    def succeeded(self, printed):
        assert self.status == 0, f"exit status {self.status}: {self.err.strip()}"
        assert self.out == printed, f"printed {self.out[:200]!r} ({len(self.out)} bytes)"
        return self


def awaited(process, limit):
    """The peak of memory of a process that ends by itself. It is made to when it does not in time."""
    end = time.monotonic() + limit
    peak = 0
    while process.poll() is None:
        if time.monotonic() > end:
            process.kill()
            process.wait()
            raise AssertionError(f"it had not ended after {limit} s")
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            found = re.search(r"^VmHWM:\s+(\d+)", status.read(), re.M)
        peak = int(found[1]) if found else peak  # a zombie has none
        time.sleep(0.003)
    return peak


def run(arguments, stdin=b"", limit=LIMIT, terminal=None, stdout=None):
    """Runs the program. `terminal`, a descriptor, takes the place of its standard output and error, `stdout` of the
    one."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        began = time.monotonic()
        process = subprocess.Popen(
            [os.environ["SWALE_PROGRAM"], "connect", *arguments],
            stdin=source,
            stdout=stdout or terminal or out,
            stderr=terminal or err,
            env={**SANITIZER_OPTIONS, **os.environ},
        )
        peak = awaited(process, slack(limit))
        seconds = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        return Met(process.returncode, out.read(), err.read().decode("utf-8", "replace"), seconds, peak)


def judge(met, peak):
    assert not REPORT.search(met.err), "a sanitizer reports:\n" + met.err
    assert 0 <= met.status < 126, f"exit status {met.status}: {met.err}"
    assert met.peak <= slack(peak), f"memory rose to {met.peak} KiB"
    lines = [line for line in met.err.splitlines() if not line.startswith(WARNING)]
    if met.status == 0:
        assert not lines, f"on standard error, after success: {met.err[:200]!r}"
    else:
        assert len(lines) == 1 and lines[0], f"not one line on standard error: {met.err[:300]!r}"
        assert lines[0].isprintable(), f"control bytes on standard error: {lines[0][:300]!r}"



def meet(script, *options, stdin=b"", tls=None, limit=LIMIT, path="/", host=None, terminal=None, stdout=None, peak=PEAK):
    """Runs the program against a server that does as the script says. Standard input is a file, which ends."""
    liar = Liar(script, tls, slack(limit))
    scheme = "wss" if tls or host else "ws"
    try:
        met = run([*options, f"{scheme}://{host or '127.0.0.1'}:{liar.port}{path}"], stdin, limit, terminal, stdout)
    finally:
        liar.end()
    if liar.failure:
        raise liar.failure
    met.callers = liar.callers
    if not terminal:
        judge(met, peak)
    return met


# ---- Rows ------------------------------------------------------------------------------------------------


class Lies:
    """A group of rows: (name, act); so many at a time, for those that mostly wait."""

    def __init__(self, threads=1):
        self.threads = threads
        self.rows = []

    def row(self, name):
        def add(act):
            self.rows.append((name, act))
            return act

        return add

    def refused(self, name, *answers, options=(), exits=ANSWER):
        """Each of these answers (bytes, or made from the request's key) is no handshake: the client says nothing after
        it, although it has something to say, prints nothing, and fails."""

        def act():
            for made in answers:

                def script(caller, made=made):
                    caller.request()
                    caller.try_send(made(caller.key) if callable(made) else made)
                    rest = caller.until_end()
                    assert rest == b"", f"the client went on: {rest[:80].hex(' ')}"

                meet(script, "--wait", *options, stdin=b"secret\n").failed(exits)

        self.rows.append((name, act))

    def ends(self, name, *inputs, code, printed=b"", options=(), upgrade=None):
        """Each of these inputs, on an upgraded connection, makes the client close it with `code`, or one of several,
        and fail, having printed no more than it should."""
        codes = code if isinstance(code, tuple) else (code,)

        def act():
            for data in inputs:

                def script(caller, data=data):
                    caller.accept(**(upgrade or {}))
                    caller.try_send(data)
                    caller.ended_with(*codes)

                met = meet(script, "--wait", *options).failed(PROTOCOL, printed=printed)
                assert len(met.callers) == 1

        self.rows.append((name, act))
