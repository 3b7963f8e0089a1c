"""client_test.py CLIENT PEER - the client library against a server that we did not write: see peers.py."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import Peer, take_steps  # noqa: E402

SIZES = (0, 1, 125, 126, 65535, 65536, 65537, 1 << 20)


class Client(unittest.TestCase):
    client = kind = None

    @classmethod
    def setUpClass(cls):
        cls.peer = Peer(cls.kind)
        cls.addClassCleanup(cls.peer.end)

    def steps(self, *steps, options=()):
        take_steps(self.client, self.peer.url(), *steps, options=options, peer=self.peer)

    def needs(self, ability):
        if ability not in self.peer.can:
            self.skipTest(f"{self.kind} has no {ability}")

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


if __name__ == "__main__":
    Client.client, Client.kind = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
