"""What the program does when memory is out: each command, with each of its allocations failing once.

Whatever it can no longer do, it says so and ends by itself, in its own time, with one of its statuses.

Run by ctest with SWALE_PROGRAM (the program) and SWALE_TORTURE_LIBRARY (torture.c) in the environment.
"""
import os
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

    def run_once(self, n, arguments, text):
        """Whether the nth allocation was reached."""
        with tempfile.TemporaryDirectory() as directory:
            done = os.path.join(directory, "done")
            environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
            environment |= {"LD_PRELOAD": LIBRARY, "SWALE_TORTURE": str(n), "SWALE_TORTURE_DONE": done, "HOME": directory}
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
