"""python_test.py - Debian's python3-websockets, as a client of `swale serve --demo`."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import unittest

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from program import Certificate, Program, slack  # noqa: E402

LARGEST = 1 << 20  # the default of --max-message
SIZES = (0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 1 << 17, LARGEST - 1, LARGEST)


def text_of(size):
    """Characters of one to four bytes, `size` bytes in all."""
    raw = "aé€😀".encode() * (size // 10)
    return (raw + b"." * (size - len(raw))).decode()


def bytes_of(size):
    return random.Random(size).randbytes(size)


class WithProgram(unittest.IsolatedAsyncioTestCase):
    options = ()
    certificate = None

    def setUp(self):
        self.program = Program(*self.options, tls=self.certificate)
        self.addCleanup(self.program.kill)

    def tearDown(self):
        self.program.stop()

    def connect(self, path="/echo", **options):
        options.setdefault("compression", None)
        options.setdefault("max_size", None)
        scheme = "wss" if self.certificate else "ws"
        if self.certificate:
            options.setdefault("ssl", self.certificate.context())
        return websockets.connect(f"{scheme}://127.0.0.1:{self.program.port}{path}", **options)

    async def heard(self, peer):
        return await asyncio.wait_for(peer.recv(), slack(10))

    async def echoes(self, peer, payloads):
        for payload in payloads:
            await peer.send(payload)
            got = await self.heard(peer)
            self.assertEqual(type(got), type(payload))
            self.assertTrue(got == payload, f"{len(payload)} bytes came back as {len(got)} others")

    async def closed(self, peer):
        await asyncio.wait_for(peer.wait_closed(), slack(10))
        return peer.close_code


class Plain(WithProgram):
    async def test_echo_of_every_length(self):
        async with self.connect() as peer:
            await self.echoes(peer, map(bytes_of, SIZES))
            await self.echoes(peer, map(text_of, SIZES))

    async def test_fragments(self):
        async with self.connect() as peer:
            await peer.send(["frag", "", "ments ", "of €"])
            self.assertEqual(await self.heard(peer), "fragments of €")
            pieces = [bytes_of(size) for size in (1, 125, 70_000, 0, 126)]
            await peer.send(iter(pieces))
            self.assertEqual(await self.heard(peer), b"".join(pieces))

    async def test_many_in_flight(self):
        async with self.connect() as peer:
            payloads = [bytes_of(n % 700) for n in range(2000)]
            sending = asyncio.create_task(self.send_all(peer, payloads))
            for payload in payloads:
                self.assertEqual(await self.heard(peer), payload)
            await sending

    async def send_all(self, peer, payloads):
        for payload in payloads:
            await peer.send(payload)

    async def test_ping(self):
        async with self.connect() as peer:
            for payload in (b"", b"p", bytes_of(125)):
                pong = await peer.ping(payload)
                await asyncio.wait_for(pong, slack(10))
            await self.echoes(peer, ["still there"])

    async def test_close_codes_of_the_client(self):
        for code, reason in ((1000, ""), (1001, "leaving"), (3000, "library"), (4999, "x" * 123)):
            peer = await self.connect()
            await peer.close(code, reason)
            self.assertEqual(await self.closed(peer), code)

    async def test_too_big_is_1009(self):
        async with self.connect() as peer:
            await peer.send(bytes(LARGEST + 1))
            self.assertEqual(await self.closed(peer), 1009)

    async def test_subprotocol(self):
        async with self.connect(subprotocols=["first.example", "second"]) as peer:
            self.assertEqual(peer.subprotocol, "first.example")
        async with self.connect() as peer:
            self.assertIsNone(peer.subprotocol)

    async def test_no_extension_unless_switched_on(self):
        async with self.connect(compression="deflate") as peer:
            self.assertEqual(peer.extensions, [])
            await self.echoes(peer, ["plain"])

    async def test_refusals(self):
        for path, origin, status in (("/echo", "https://evil.example", 403), ("/nowhere", None, 404)):
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await self.connect(path, origin=origin)
            self.assertEqual(refused.exception.status_code, status)

    async def test_own_origin(self):
        async with self.connect(origin=f"http://127.0.0.1:{self.program.port}") as peer:
            await self.echoes(peer, ["from our own page"])

    async def test_many_at_once(self):
        async def one(number):
            async with self.connect() as peer:
                await self.echoes(peer, [bytes_of(number * 7 + n) for n in range(20)])

        await asyncio.gather(*(one(number) for number in range(200)))

    async def test_topics(self):
        async with self.connect("/topic/t") as a, self.connect("/topic/t") as b, self.connect("/topic/other") as c:
            async with self.connect("/topic/t?self=1") as loud:
                await a.send("from a")
                self.assertEqual([await self.heard(b), await self.heard(loud)], ["from a", "from a"])
                await loud.send(b"\x00from loud")
                self.assertEqual([await self.heard(peer) for peer in (a, b, loud)], [b"\x00from loud"] * 3)
                await c.ping()
                for quiet in (a, c):
                    with self.assertRaises(asyncio.TimeoutError):
                        await asyncio.wait_for(quiet.recv(), 0.1)

    async def test_topic_with_another_kind_of_peer(self):
        """npm's ws answers on the topic what it hears there."""
        url = f"ws://127.0.0.1:{self.program.port}/topic/mixed"
        script = os.path.join(HERE, "answer.mjs")
        node = await asyncio.create_subprocess_exec("node", script, url, stdout=subprocess.PIPE)
        try:
            self.assertEqual(await asyncio.wait_for(node.stdout.readline(), slack(10)), b"open\n")
            async with self.connect("/topic/mixed") as peer:
                for payload in ("hello", text_of(70_000)):
                    await peer.send(payload)
                    self.assertEqual(await self.heard(peer), "heard " + payload)
        finally:
            if node.returncode is None:
                node.terminate()
            await node.wait()

    async def test_sigterm_says_1001(self):
        peers = [await self.connect() for _ in range(20)]
        self.program.signal(signal.SIGTERM)
        for peer in peers:
            self.assertEqual(await self.closed(peer), 1001)


class DeflateShared(WithProgram):
    options = ("--deflate", "--compress-threshold", "16")

    factories = {
        "as it comes": ClientPerMessageDeflateFactory(),
        "client window": ClientPerMessageDeflateFactory(client_max_window_bits=True),
        "small client window": ClientPerMessageDeflateFactory(client_max_window_bits=9),
        "small server window": ClientPerMessageDeflateFactory(server_max_window_bits=10),
        "no contexts": ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True),
        "small windows": ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
    }

    async def test_every_offer(self):
        for name, factory in self.factories.items():
            with self.subTest(name):
                async with self.connect(extensions=[factory]) as peer:
                    self.assertEqual([extension.name for extension in peer.extensions], ["permessage-deflate"])
                    await self.echoes(peer, ["again and again, " * 40] * 5)
                    await self.echoes(peer, map(text_of, SIZES))
                    await self.echoes(peer, map(bytes_of, (0, 1, 1000, 70_000)))
                    await peer.send(["frag" * 50, "", "ments" * 50])
                    self.assertEqual(await self.heard(peer), "frag" * 50 + "ments" * 50)

    async def test_topic_of_all_kinds(self):
        """One message, encoded for each window and for none."""
        peers = [await self.connect("/topic/all", extensions=[factory]) for factory in self.factories.values()]
        peers.append(await self.connect("/topic/all"))
        for payload in ("short", "long enough to be squeezed " * 100, bytes_of(5000)):
            await peers[0].send(payload)
            for peer in peers[1:]:
                self.assertEqual(await self.heard(peer), payload)
        for peer in peers:
            await peer.close()

    async def test_inflated_too_big_is_1009(self):
        async with self.connect(extensions=[ClientPerMessageDeflateFactory()]) as peer:
            await peer.send(bytes(LARGEST + 1))
            self.assertEqual(await self.closed(peer), 1009)


class DeflateContext(DeflateShared):
    options = ("--deflate=context", "--compress-threshold", "16")


class Tls(WithProgram):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()

    async def test_echo(self):
        async with self.connect() as peer:
            await self.echoes(peer, map(bytes_of, SIZES))
            await self.echoes(peer, map(text_of, SIZES))

    async def test_many_at_once(self):
        async def one(number):
            async with self.connect() as peer:
                await self.echoes(peer, [bytes_of(number * 700 + n) for n in range(10)])

        await asyncio.gather(*(one(number) for number in range(60)))

    async def test_closing(self):
        peer = await self.connect()
        await peer.close(4000, "enough")
        self.assertEqual(await self.closed(peer), 4000)


if __name__ == "__main__":
    unittest.main()
