"""wire.py - a WebSocket peer that says whatever a test wants, right or wrong. Nothing but sockets."""

import base64
import socket
import struct
import time

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(bytes(range(16))).decode()

FIELDS = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request(target="/echo", method="GET", version=" HTTP/1.1", eol=b"\r\n", without=(), more=(), **change):
    """The bytes of an upgrade request. Fields are changed by name (`host="x"`, `sec_websocket_key=...`), left out by
    `without`, and added as whole lines by `more`."""
    changed = {name.replace("_", "-").lower(): value for name, value in change.items()}
    lines = [f"{method} {target}{version}"]
    for name, value in FIELDS.items():
        if name not in without:
            lines.append(f"{name}: {changed.pop(name.lower(), value)}")
    lines += [f"{name}: {value}" for name, value in changed.items()]
    raw = [line if isinstance(line, bytes) else line.encode("latin-1") for line in [*lines, *more]]
    return eol.join(raw) + eol + eol


def get(target="/healthz", more=(), method="GET"):
    """The bytes of a plain request."""
    return request(target, method, without=[name for name in FIELDS if name != "Host"], more=more)


def masked(payload, mask):
    if not any(mask):
        return bytes(payload)
    repeated = mask * (len(payload) // 4 + 1)
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[: len(payload)], "big")
    return number.to_bytes(len(payload), "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x12\x34\x56\x78", announce=None, form=None):
    """One frame. `mask=None` leaves the mask out; `announce` lies about the length; `form` 16 or 64 forces an encoding
    of the length that may be longer than it need be."""
    length = len(payload) if announce is None else announce
    form = form or (7 if length < 126 else 16 if length < 65536 else 64)
    bit = 0x80 if mask is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if form == 7:
        head += bytes([bit | length])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    return head + (mask + masked(payload, mask) if mask is not None else payload)


def closing(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


class Gone(Exception):
    """The other side has closed or reset the connection."""


class Frame:
    def __init__(self, opcode, fin, rsv, payload, mask=None):
        self.opcode, self.fin, self.rsv, self.payload, self.mask = opcode, fin, rsv, payload, mask

    def __repr__(self):
        return f"<{self.opcode} fin={self.fin} rsv={self.rsv} {self.payload[:40]!r}>"


class Wire:
    """A connection, whichever end of it. Every wait has an end: reading fails with TimeoutError when nothing comes."""

    MASK = b"\x12\x34\x56\x78"  # of what it sends; None when it is a server's

    def __init__(self, connected, patience):
        self.socket = connected
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.patience = patience
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def send(self, *pieces):
        try:
            self.socket.sendall(b"".join(pieces))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error

    def try_send(self, *pieces):
        """For what the other side may refuse to read to the end."""
        try:
            self.send(*pieces)
            return True
        except (Gone, OSError):
            return False

    def reset(self):
        """Goes by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _more(self, patience=None):
        self.socket.settimeout(self.patience if patience is None else max(0.001, patience))
        try:
            got = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Gone from error
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise Gone from error
        if not got:
            raise Gone
        self.buffer += got

    def take(self, count):
        while len(self.buffer) < count:
            self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def until_end(self, seconds=None):
        """Reads on until the other side closes, and returns the first 64 KiB of that. TimeoutError when it does not."""
        end = time.monotonic() + (seconds or self.patience)
        rest = b""
        try:
            while True:
                rest = (rest + self.buffer)[:65536]
                self.buffer = b""
                self._more(end - time.monotonic())
        except Gone:
            return rest

    def next(self):
        """The next frame."""
        first, second = self.take(2)
        assert (second & 0x80 == 0) == (self.MASK is not None), "a server masks, or a client does not"
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        mask = self.take(4) if second & 0x80 else None
        payload = self.take(length)
        return Frame(first & 15, first & 0x80 != 0, first >> 4 & 7, masked(payload, mask) if mask else payload, mask)

    def ended(self, answer=True):
        """How the other side ends the connection: the code of its close frame (1005 for an empty one), or 0 when it
        drops the connection without. What else it sends before is kept in `passed`."""
        self.passed = []
        code = 0
        try:
            while True:
                got = self.next()
                if got.opcode == CLOSE:
                    code = close_code(got)
                    if answer:
                        self.try_send(frame(CLOSE, got.payload, mask=self.MASK))
                    self.until_end()
                    return code
                self.passed.append(got)
        except Gone:
            return code


class Peer(Wire):
    """A client."""

    def __init__(self, port, tls=None, patience=5.0):
        connected = socket.create_connection(("127.0.0.1", port), timeout=patience)
        super().__init__(tls.wrap_socket(connected, server_hostname="localhost") if tls else connected, patience)

    # ---- HTTP

    def answer(self, body=True):
        """The status of the next answer, 0 when the connection ended without one. Its head is kept in `head`, its body
        is read past (an answer to HEAD has none)."""
        try:
            while b"\r\n\r\n" not in self.buffer:
                self._more()
        except Gone:
            self.head = self.buffer
            return 0
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.head = head
        status = int(head.split(b" ", 2)[1])
        length = self.field("content-length")
        if body and length and status != 101:
            self.take(int(length))
        return status

    def field(self, name):
        """The value of a field of the last answer, None without it, "a, b" for several."""
        found = []
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode():
                found.append(value.strip().decode("latin-1"))
        return ", ".join(found) if found else None

    # ---- WebSocket

    def upgrade(self, **change):
        self.send(request(**change))
        status = self.answer()
        assert status == 101, f"upgrade: {status}"
        return self

    def message(self):
        """The payload of the next message; pings are answered on the way."""
        payload = b""
        while True:
            got = self.next()
            if got.opcode == PING:
                self.send(frame(PONG, got.payload))
            elif got.opcode == CLOSE:
                raise AssertionError(f"closed: {close_code(got)}")
            elif got.opcode != PONG:
                payload += got.payload
                if got.fin:
                    return payload

    def echo(self, payload=b"are you there?", opcode=BINARY):
        self.send(frame(opcode, payload))
        got = self.message()
        assert got == payload, f"echo of {payload[:40]!r} ({len(payload)}): {got[:40]!r} ({len(got)})"


def close_code(got):
    return struct.unpack(">H", got.payload[:2])[0] if got.payload else 1005


def opened(port, **options):
    """A peer with the handshake done."""
    return Peer(port, **options).upgrade()


def random_bytes(generator, count):
    return generator.getrandbits(8 * count).to_bytes(count, "big") if count else b""
