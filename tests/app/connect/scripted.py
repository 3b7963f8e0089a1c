"""Servers of the tests' own that do what a script says, also what no server should. Each connection is a thread; the
port is the kernel's choice."""

import base64
import hashlib
import socket
import struct
import threading

PATIENCE = 30
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", first=0x80, mask=None):
    """`first` holds the bits beside the opcode: fin and the reserved ones."""
    size = len(payload)
    masked = 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", first | opcode, masked | size)
    elif size < 65536:
        head = struct.pack("!BBH", first | opcode, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, masked | 127, size)
    if mask:
        payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    return head + (mask or b"") + payload


def close_frame(code, text=b""):
    return frame(CLOSE, struct.pack("!H", code) + text)


class Connection:
    """One that was accepted; `head` is the request, `fields` its fields in lower case."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.head = b""
        self.fields = {}
        while not self.head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            if not line:
                break
            self.head += line
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                self.fields[name.strip().lower()] = value.strip()

    def send(self, data):
        self.sock.sendall(data)

    def accept(self, *fields):
        key = self.fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Accept: " + proof, *fields]
        self.send("".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n")

    def answer(self, status, body=b"", *fields):
        lines = ["HTTP/1.1 " + status, f"Content-Length: {len(body)}", *fields]
        self.send("".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n" + body)

    def read_frame(self):
        """(opcode, payload), or (None, b"") at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None, b""
        size = head[1] & 0x7f
        if size >= 126:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        mask = self.file.read(4)
        payload = self.file.read(size)
        key = (mask * (size // 4 + 1))[:size]
        return head[0] & 15, (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")

    def read_messages(self):
        """The payloads of messages until the close, which is answered; the last one is the close's."""
        messages = []
        while True:
            opcode, payload = self.read_frame()
            if opcode == PING:
                self.send(frame(PONG, payload))
            elif opcode in (TEXT, BINARY):
                messages.append(payload)
            elif opcode == CLOSE:
                self.send(frame(CLOSE, payload))
            if opcode in (CLOSE, None):
                return messages + [payload if opcode else None]


class Scripted:
    """`script(connection)` is run for each connection, which is closed when it returns. `results` holds what scripts
    returned, `faults` what they raised. A `raw` script gets the socket, on which nothing was read."""

    def __init__(self, script, port=0, tls=None, raw=False):
        self.script, self.tls, self.raw = script, tls, raw
        self.results, self.faults, self.connections = [], [], []
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def url(self, path="/", scheme="ws"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self.connections.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        result = None
        try:
            sock = self.tls.wrap_socket(sock, server_side=True) if self.tls else sock
            result = self.script(sock if self.raw else Connection(sock))
        except (OSError, ValueError, KeyError) as error:
            self.faults.append(error)
        finally:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        with self.changed:
            self.results.append(result)
            self.changed.notify_all()

    def wait(self, count=1):
        """The results, once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.results) >= count, PATIENCE), "no connection came to its end"
            return self.results

    def close(self):
        """No more connections; those that there are end."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for sock in self.connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
