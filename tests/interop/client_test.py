"""client_test.py CLIENT PEER - the client library, and `swale connect`, against a server that we did not write: see
peers.py."""

import os
import random
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import Peer, take_steps  # noqa: E402
from program import REPORT, SANITIZER_OPTIONS, slack, until  # noqa: E402

SIZES = (0, 1, 125, 126, 65535, 65536, 65537, 1 << 20)


class WithPeer(unittest.TestCase):
    client = kind = None

    @classmethod
    def setUpClass(cls):
        cls.peer = Peer(cls.kind)
        cls.addClassCleanup(cls.peer.end)

    def needs(self, ability):
        if ability not in self.peer.can:
            self.skipTest(f"{self.kind} has no {ability}")


class Client(WithPeer):
    """The library, through a C program that takes steps."""

    def steps(self, *steps, options=()):
        take_steps(self.client, self.peer.url(), *steps, options=options, peer=self.peer)

    def test_echo(self):
        self.steps("open", "deflate:no", "subprotocol:", "say:", "say:hello", "say:Grüße, 世界 \U0001f30a",
                   *(f"{kind}:{size}" for size in SIZES for kind in ("text", "binary")))

    def test_burst(self):
        self.steps("open", "burst:500")

    def test_fragments_of_ours(self):
        self.steps("open", "parts:1", "parts:1000", "parts:1048576", "say:after")

    def test_fragments_of_the_peer(self):
        self.needs("fragments")
        self.steps("open", "fragments", "say:after")

    def deflate(self, *options):
        fragments = ["fragments"] if "fragments" in self.peer.can else []
        self.steps("open", "deflate:yes", *(f"{kind}:{size}" for size in SIZES for kind in ("text", "binary")),
                   "squeezed:65537", "squeezed:1048576", "burst:300", "parts:70000", *fragments, "ping", "say:after",
                   "close:1000:", "end", options=["--deflate", *options])

    def test_deflate(self):
        self.needs("deflate")
        self.deflate()

    def test_deflate_with_context(self):
        self.needs("deflate context")
        self.deflate("--context")

    def test_no_deflate(self):
        if "deflate context" in self.peer.can:
            self.skipTest(f"{self.kind} has deflate")
        self.steps("open", "deflate:no", "text:65537", options=["--deflate"])

    def test_subprotocol(self):
        offer = ["--subprotocol", "first", "--subprotocol", "second"]
        chosen = "second" if "subprotocol" in self.peer.can else ""
        self.steps("open", f"subprotocol:{chosen}", "say:hello", options=offer)

    def test_pings(self):
        self.steps("open", "ping", "pinged", "ping", "say:after")

    def test_we_close(self):
        for code, text in ((1000, ""), (3000, "library"), (4999, "x" * 120), (4000, "Grüße")):
            self.steps("open", "say:hello", f"close:{code}:{text}", "end")
            self.peer.saw_close(code, text)

    def test_the_peer_closes_for_good(self):
        for code, text in ((1000, "bye"), (1008, "not you")):
            self.steps("open", f"closed:{code}:{text}", "end")

    def test_the_peer_closes_and_we_come_back(self):
        self.steps("open", "say:hello", "closed:4001:again", "open", "say:hello", "closed:1011:oops", "open",
                   "say:hello", "close:1000:", "end")

    def test_the_peer_is_killed_and_we_come_back(self):
        self.steps("open", "say:hello", "killed", "open", "text:65537", "killed", "open", "binary:65537",
                   "close:1000:bye", "end")
        self.peer.saw_close(1000, "bye")


class Connect(WithPeer):
    """`swale connect`, as scripts use it."""

    def command(self, *options):
        return [os.environ["SWALE_PROGRAM"], "connect", *options, self.peer.url()]

    def run_program(self, *options, said=b"", status=0):
        """What it prints. With --max-messages it ends by itself."""
        done = subprocess.run(self.command("--timeout", f"{slack(20)}s", *options), input=said, capture_output=True,
                              timeout=slack(60), env={**SANITIZER_OPTIONS, **os.environ})
        errors = done.stderr.decode("utf-8", "replace")
        self.assertFalse(REPORT.search(errors), errors)
        self.assertEqual(done.returncode, status, errors)
        if status:
            self.assertEqual(errors.count("\n"), 1, errors)
        return done.stdout

    def start_program(self, *options):
        process = subprocess.Popen(self.command("--timeout", f"{slack(60)}s", *options), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env={**SANITIZER_OPTIONS, **os.environ})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_lines(self):
        lines = "hello\n\nGrüße, 世界 \U0001f30a\n".encode() + b"x" * 65537 + b"\nlast\n"
        self.assertEqual(self.run_program("--max-messages", "5", said=lines), lines)
        self.peer.saw_close(1000)

    def test_nulls(self):
        messages = b"two\nlines\0\0three\n\n\0"
        self.assertEqual(self.run_program("--null", "--max-messages", "3", said=messages), messages)

    def test_binary_of_all_lengths(self):
        payloads = [random.Random(size).randbytes(size) for size in SIZES]
        framed = b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)
        options = ("--binary", "--length-prefixed", "--max-messages", str(len(payloads)))
        self.assertTrue(self.run_program(*options, said=framed) == framed)
        self.assertTrue(self.run_program(*options, "--deflate", said=framed) == framed)

    def test_many_lines(self):
        lines = b"".join(b"line %d\n" % number for number in range(3000))
        self.assertTrue(self.run_program("--max-messages", "3000", said=lines) == lines)

    def test_fragments_and_pings(self):
        if "fragments" in self.peer.can:
            heard = self.run_program("--on-connect", "swale:fragments", "--wait", "--max-messages", "1")
            self.assertEqual(heard, "one two € three\n".encode())
        heard = self.run_program("--on-connect", "swale:ping hello", "--wait", "--max-messages", "1")
        self.assertEqual(heard, b"pong hello\n")

    def test_subprotocol(self):
        self.needs("subprotocol")
        offer = self.command("-v", "-s", "first", "-s", "second", "--max-messages", "1")
        done = subprocess.run(offer, input=b"hello\n", capture_output=True, timeout=slack(20))
        self.assertEqual(done.stdout, b"hello\n")
        self.assertRegex(done.stderr.decode().lower(), r"sec-websocket-protocol: second\r?\n")

    def test_how_the_server_closes_is_the_status(self):
        for code, status in ((1000, 0), (1008, 10), (4001, 10)):
            self.run_program("--wait", said=b"swale:close %d enough\n" % code, status=status)

    def test_the_server_is_killed(self):
        program = self.start_program("--on-connect", "hello", "--wait")
        self.assertEqual(program.stdout.readline(), b"hello\n")
        self.peer.kill()
        self.addCleanup(self.peer.start)
        self.assertEqual(program.wait(slack(10)), 11)
        self.run_program(said=b"hello\n", status=4)

    def test_it_comes_back(self):
        program = self.start_program("--on-connect", "hello", "--wait", "--reconnect")
        self.assertEqual(program.stdout.readline(), b"hello\n")
        self.peer.kill()
        self.peer.start()
        self.assertEqual(program.stdout.readline(), b"hello\n")
        program.terminate()
        program.wait(slack(10))
        until(lambda: any(line.startswith("closed") for line in self.peer.lines), slack(10), "the server to see it go")

    def test_check_finds_nothing_wrong(self):
        self.assertNotEqual(self.run_program("--check"), b"")


if __name__ == "__main__":
    WithPeer.client, WithPeer.kind = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
