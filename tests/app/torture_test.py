"""What the program does when memory is out: each command, with each of its allocations failing once.

Whatever it can no longer do, it says so and ends by itself, in its own time, with one of its statuses.

Run by ctest with SWALE_PROGRAM (the program) and SWALE_TORTURE_LIBRARY (torture.c) in the environment.
"""
import os
import socket
import subprocess
import tempfile
import unittest

from program import Program

SWALE = os.environ["SWALE_PROGRAM"]
LIBRARY = os.environ["SWALE_TORTURE_LIBRARY"]
PATIENCE = 30


class Torture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Program()
        cls.url = f"ws://127.0.0.1:{cls.server.port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @staticmethod
    def environment(n, directory):
        plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**plain, "LD_PRELOAD": LIBRARY, "SWALE_TORTURE": str(n), "HOME": directory,
                "SWALE_TORTURE_DONE": os.path.join(directory, "done")}

    def run_once(self, n, arguments, text):
        """Whether the nth allocation was reached."""
        with tempfile.TemporaryDirectory() as directory:
            done, environment = os.path.join(directory, "done"), self.environment(n, directory)
            run = subprocess.run([SWALE, *arguments], input=text, capture_output=True, env=environment, timeout=PATIENCE)
            what = f"allocation {n} of {arguments}: status {run.returncode}\n" + run.stderr.decode()
            self.assertGreaterEqual(run.returncode, 0, what)
            reached = os.path.exists(done)
            if not reached:
                self.assertEqual(run.returncode, 0, what)
            elif run.returncode:
                self.assertTrue(run.stderr or run.stdout, what)
            return reached

    def torture(self, *arguments, text=b"", least=10):
        n = 1
        while self.run_once(n, arguments, text):
            n += 1
        self.assertGreater(n, least)

    def test_connect(self):
        self.torture("connect", self.url + "/echo", "--header", "X: y", "--subprotocol", "a", "--deflate", "--verbose",
                     "--max-messages", "2", "--timeout", "20s", "--on-connect", "hello", text=b"one\ntwo\n")

    def serve_once(self, n):
        """A server that starts, or does not; is asked for this and that; and stops."""
        with tempfile.TemporaryDirectory() as directory:
            command = [SWALE, "serve", "--demo", "--metrics", "--listen", "127.0.0.1:0", "--threads", "1", "--root", directory]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.environment(n, directory)) as server:
                line = server.stdout.readline().decode()
                if line.startswith("swale: listening on "):
                    port = int(line.rstrip("/\n").rpartition(":")[2])
                    for target in "/metrics", "/", "/topic/x?name=y", "/live/metrics", "/echo":
                        self.ask(port, target)
                server.terminate()
                output, fault = server.communicate(timeout=PATIENCE)
            what = f"allocation {n}: status {server.returncode}\n" + fault.decode()
            self.assertIn(server.returncode, (0, 1, 2), what)
            self.assertTrue(server.returncode == 0 or fault, what)
            reached = os.path.exists(os.path.join(directory, "done"))
            self.assertTrue(reached or server.returncode == 0, what)
            return reached

    @staticmethod
    def ask(port, target):
        """For a WebSocket, and says something; whatever becomes of it."""
        head = (f"GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
                peer.sendall(head.encode())
                if b" 101 " in peer.recv(4096):
                    peer.sendall(b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8")
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(4096):
                    pass
        except OSError:
            pass

    def test_serve(self):
        n = 1
        while self.serve_once(n):
            n += 1
        self.assertGreater(n, 50)

    def test_json(self):
        self.torture("connect", self.url + "/echo", "--json", "--binary", "--max-messages", "1", "--timeout", "20s",
                     text=b'{"a": [1, 2]}\n')

    def test_check(self):
        self.torture("connect", "--check", self.url + "/echo")

    def bench(self, *arguments):
        self.torture("bench", "--timeout", "2s", *arguments, least=20)

    def test_echo(self):
        self.bench("--connections", "2", "--count", "4", "--json", self.url + "/echo")

    def test_fan_out(self):
        self.bench("--mode", "fan-out", "--subscribers", "2", "--publishers", "1", "--count", "4", "--header", "X: y",
                   self.url + "/topic/torture")

    def test_storm(self):
        self.bench("--mode", "storm", "--connections", "2", "--count", "4", self.url + "/echo")

    def test_idle(self):
        self.bench("--mode", "idle", "--connections", "2", "--duration", "1ms", self.url + "/echo")


unittest.main()
