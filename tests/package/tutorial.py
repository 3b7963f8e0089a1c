#!/usr/bin/python3
"""The programs of docs/tutorial.md compile without a warning and do what the page says. The servers are changed in one
point: they listen on a unix socket, so that no port can be taken."""

import asyncio
import logging
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import unittest

import websockets

PAGE = pathlib.Path(os.environ["PROJECT"], "docs/tutorial.md").read_text()
LIMIT_S = 20


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


PROGRAMS = [block for block in blocks("c") if "int main(" in block]


class Auction:
    """A program of the page, compiled and running in a directory of its own."""

    def __init__(self, source):
        self.directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        self.home = pathlib.Path(self.directory.name)
        self.socket = self.home / "socket"
        source, count = re.subn(r'"127\.0\.0\.1:8080"', f'"unix:{self.socket}"', source)
        assert count == 1
        (self.home / "auction.c").write_text(source)
        (self.home / "page").mkdir()
        (self.home / "page/index.html").write_text(blocks("html")[0])
        self.compile("auction")

    def compile(self, name):
        build, sanitize = os.environ["BUILD"], os.environ.get("SANITIZE")
        flags = ["-std=c17", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
        flags += [f"-fsanitize={sanitize}"] if sanitize else []
        include = pathlib.Path(os.environ["PROJECT"], "include")
        subprocess.run([*shlex.split(os.environ["CC"]), *flags, f"-I{include}", f"{name}.c", "-o", name,
                        f"-L{build}/src", "-lswale", f"-Wl,-rpath,{build}/src"], cwd=self.home, check=True)

    async def __aenter__(self):
        await self.start()
        return self

    async def start(self):
        self.process = subprocess.Popen(["./auction"], cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while self.process.poll() is None:
            try:
                _, writer = await asyncio.open_unix_connection(str(self.socket))
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            return
        raise AssertionError(self.process.stdout.read().decode())

    async def __aexit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.directory.cleanup()

    def connect(self, **options):
        return websockets.unix_connect(str(self.socket), "ws://localhost/auction", **options)

    async def get(self, path):
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.decode()


class Tutorial(unittest.IsolatedAsyncioTestCase):
    async def test_1_something_that_answers(self):
        async with Auction(PROGRAMS[0]) as auction, auction.connect() as peer:
            await peer.send("5")
            self.assertEqual(await peer.recv(), "thank you")

    async def test_3_everyone_sees_it(self):
        async with Auction(PROGRAMS[1]) as auction, auction.connect() as ann, auction.connect() as bob:
            self.assertIn('id="highest"', await auction.get("/"))
            await ann.send("5")
            self.assertEqual([await ann.recv(), await bob.recv()], ["5", "5"])
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await auction.connect(origin="http://elsewhere.example")
            self.assertEqual(refused.exception.status_code, 403)

    async def test_4_the_highest_bid_wins(self):
        async with Auction(PROGRAMS[2]) as auction, auction.connect() as ann, auction.connect() as bob:
            for bid in ("5", "3", "7"):
                await ann.send(bid)
            while await bob.recv() != "7":
                pass
            async with auction.connect() as newcomer:
                self.assertEqual(await newcomer.recv(), "7")
                for nonsense in ("no number", "", "8x", "-1", "9" * 30):
                    async with auction.connect() as fool:
                        await fool.send(nonsense)
                        await fool.wait_closed()
                        self.assertEqual(fool.close_code, 4400, nonsense)
            auction.process.send_signal(signal.SIGTERM)
            await ann.wait_closed()
            self.assertEqual(ann.close_code, 1001)
            await bob.close()
            self.assertEqual(auction.process.wait(LIMIT_S), 0)

    async def test_7_a_bidder_outbids_and_comes_back(self):
        async with Auction(PROGRAMS[2]) as auction:
            (auction.home / "bidder.c").write_text(PROGRAMS[3])
            auction.compile("bidder")
            bidder = await asyncio.create_subprocess_exec("./bidder", f"ws+unix:{auction.socket}:/auction", "10",
                                                          cwd=auction.home, stdout=asyncio.subprocess.PIPE)

            async def said(text):
                while (line := await bidder.stdout.readline()) != text.encode() + b"\n":
                    self.assertTrue(line, f"no {text!r}")

            async def bids(ours, *others):
                async with auction.connect() as ann:
                    for bid in others:
                        await ann.send(bid)
                    while await ann.recv() != ours:
                        pass

            try:
                await said("open")
                await bids("6", "5")
                auction.process.send_signal(signal.SIGTERM)
                await said("waiting")
                auction.process.communicate()
                await auction.start()
                await said("open")
                await bids("4", "3")
                await bids("10", "9")
                async with auction.connect() as ann:
                    await ann.send("12")
                    await said("too much for us: 12")
                await said("the application closed the connection")
                self.assertEqual(await bidder.wait(), 0)
            finally:
                if bidder.returncode is None:
                    bidder.kill()
                await bidder.wait()


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # not how long compiling took
    unittest.main()
