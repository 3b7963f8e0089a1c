"""standins_test.py CLIENT - stand-ins for two systems that are in no registry, written from how they are known to behave:
websocket-client-simple, a client that answers neither pings nor closes, reads byte by byte and ends by FIN; and
pywebsocket, a server whose handlers abort the handshake, close badly or fail."""

import base64
import hashlib
import os
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import take_steps  # noqa: E402
from program import Program, slack, until  # noqa: E402

client = None
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Simple:
    """A client like websocket-client-simple."""

    def __init__(self, program):
        self.socket = socket.create_connection(("127.0.0.1", program.port), slack(20))
        self.socket.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def send(self, text):
        self.socket.sendall(bytes((0x81, 0x80 | len(text))) + bytes(4) + text.encode())

    def read(self, size):
        """Byte by byte; less when the other side has ended."""
        found = b""
        while len(found) < size and (byte := self.socket.recv(1)):
            found += byte
        return found

    def frame(self):
        head = self.read(2)
        return (head[0], self.read(head[1])) if head else None


class Client(unittest.TestCase):
    def test_it_echoes_and_ends_by_fin(self):
        with Program() as program:
            peer = Simple(program)
            for number in range(50):
                peer.send(f"message {number}")
                self.assertEqual(peer.frame(), (0x81, f"message {number}".encode()))
            peer.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(peer.socket.recv(1), b"")
            until(lambda: program.counted("peer-gone") == 1, slack(10), "its end")
            peer.socket.close()

    def test_it_never_answers_pings(self):
        with Program("--ping", "100ms", "--gone", f"{slack(200)}ms") as program:
            peer = Simple(program)
            opcodes = []
            while found := peer.frame():
                opcodes.append(found[0])
            self.assertEqual(opcodes[0], 0x89)
            until(lambda: program.counted("heartbeat") == 1, slack(10), "its end")
            peer.socket.close()

    def test_it_never_answers_a_close(self):
        program = Program("--close-wait", f"{slack(200)}ms")
        peer = Simple(program)
        program.signal(15)
        opcode, payload = peer.frame()
        self.assertEqual((opcode, payload[:2]), (0x88, (1001).to_bytes(2, "big")))
        program.stop()
        peer.socket.close()


class Server(unittest.TestCase):
    """One connection, whose handler does `this` after the handshake, or `instead` of it."""

    def meet(self, *steps, this=b"", instead=None):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(slack(20))
            server = threading.Thread(target=self.serve, args=(listener, this, instead), daemon=True)
            server.start()
            take_steps(client, f"ws://127.0.0.1:{listener.getsockname()[1]}/", *steps, options=["--once"])
            server.join(slack(20))

    def serve(self, listener, this, instead):
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as lines:
            fields = dict(line.decode().strip().split(": ", 1) for line in iter(lines.readline, b"\r\n") if b": " in line)
            key = {name.lower(): value for name, value in fields.items()}["sec-websocket-key"]
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())
            upgraded = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            peer.sendall(upgraded + this if instead is None else instead)
            peer.shutdown(socket.SHUT_WR)
            while lines.read1():
                continue

    def test_its_handler_aborts_the_handshake(self):
        self.meet("fail:answer-status", "end", instead=b"HTTP/1.1 403 Forbidden\r\n\r\n")
        self.meet("fail:answer-status", "end", instead=b"HTTP/1.1 500 Internal Server Error\r\n\r\n")

    def test_its_handler_closes_badly(self):
        for frame, reason in ((b"\x88\x01\x03", "close-payload"), (b"\x88\x02\x03\xed", "close-code"),
                              (b"", "peer-gone")):
            self.meet("open", f"lost:{reason}", "end", this=frame)

    def test_its_handler_fails(self):
        self.meet("open", "lost:peer-closed", "end", this=b"\x88\x0a\x03\xf3internal")


if __name__ == "__main__":
    client = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], warnings="ignore")
