#!/usr/bin/python3
"""Runs each example and talks to it with python3-websockets: examples_test.py PROGRAMS SOURCES"""
import asyncio
import pathlib
import re
import signal
import socket
import subprocess
import sys
import unittest

import websockets

PROGRAMS, SOURCES = map(pathlib.Path, sys.argv[1:3])
LIMIT_S = 20


class Example:
    """A running example; `url` is where it says it listens."""

    def __init__(self, name):
        self.process = subprocess.Popen([PROGRAMS / name, "127.0.0.1:0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r"ws://\S+", line).group()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


class Feed:
    """What the ticker follows: numbered messages, from a server that comes and goes at one address."""

    def __init__(self):
        self.port, self.number, self.followers = 0, 0, set()

    async def open(self):
        self.server = await websockets.serve(self.follow, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"

    async def follow(self, follower, _path):
        self.followers.add(follower)
        try:
            await follower.wait_closed()
        finally:
            self.followers.remove(follower)

    async def publish(self):
        self.number += 1
        for follower in self.followers:
            await follower.send(f"{self.number} EUR/USD 1.0843")

    async def close(self):
        self.server.close()
        await self.server.wait_closed()

    async def crash(self):
        for follower in self.followers:
            follower.transport.abort()
        await self.close()


class Client:
    """A running example that connects to `url`. `seen` are its lines so far."""

    def __init__(self, name, url):
        self.command, self.seen = [PROGRAMS / name, url], []

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe)
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def until(self, pattern):
        while True:
            line = (await self.process.stdout.readline()).decode()
            assert line, self.seen
            self.seen.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")


def within_limit(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


class Examples(unittest.TestCase):
    def test_each_is_under_100_lines(self):
        for source in SOURCES.glob("*.c"):
            with self.subTest(source.name):
                self.assertLess(len(source.read_text().splitlines()), 100)

    def test_echo(self):
        async def talk(url):
            async with websockets.connect(url) as peer:
                for message in ("hello", "", "ünïcode", b"\x00\xff", "x" * 200_000):
                    await peer.send(message)
                    self.assertEqual(await peer.recv(), message)

        with Example("echo") as example:
            within_limit(talk(example.url))

    def test_chat_reaches_everyone_in_the_room_and_nobody_else(self):
        async def talk(url):
            garden, kitchen = url.replace("NAME", "garden"), url.replace("NAME", "kitchen")
            async with websockets.connect(garden) as ann, websockets.connect(garden) as bob, \
                    websockets.connect(kitchen) as eve:
                await ann.send("hello, garden")
                self.assertEqual(await ann.recv(), "hello, garden")
                self.assertEqual(await bob.recv(), "hello, garden")
                await eve.send("alone")
                self.assertEqual(await eve.recv(), "alone")

        with Example("chat") as example:
            within_limit(talk(example.url))

    def test_auth(self):
        async def status_of(url, **options):
            try:
                async with websockets.connect(url, **options) as peer:
                    return await peer.recv()
            except websockets.InvalidStatusCode as refusal:
                return refusal.status_code

        async def talk(url):
            known = {"Cookie": "theme=dark; session=open-sesame"}
            self.assertEqual(await status_of(url, extra_headers=known), "welcome")
            self.assertEqual(await status_of(url), 401)
            self.assertEqual(await status_of(url, extra_headers={"Cookie": "session=guess"}), 401)
            self.assertEqual(await status_of(url, extra_headers=known, origin="https://evil.example"), 403)
            self.assertEqual(await status_of(url + "/elsewhere", extra_headers=known), 404)

        with Example("auth") as example:
            within_limit(talk(example.url))

    def test_poll_serves_its_own_descriptors_too(self):
        async def talk(example):
            async with websockets.connect(example.url) as peer:
                await peer.send("ping")
                self.assertEqual(await peer.recv(), "ping")
                example.process.stdin.write("to all\n")
                example.process.stdin.flush()
                self.assertEqual(await peer.recv(), b"to all\n")
                example.process.stdin.close()
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await peer.recv()
                self.assertEqual(closed.exception.rcvd.code, 1001)

        with Example("poll") as example:
            within_limit(talk(example))
            example.process.stdin = None
            self.assertEqual(example.process.wait(LIMIT_S), 0)

    def test_engine_needs_no_loop(self):
        async def talk(end):
            async with websockets.connect("ws://localhost/", sock=end) as peer:
                for message in ("hello", b"\x01\x02", "", "x" * 100_000):
                    await peer.send(message)
                    self.assertEqual(await peer.recv(), message)
                await (await peer.ping(b"are you there"))

        mine, its = socket.socketpair()
        with subprocess.Popen([PROGRAMS / "engine"], stdin=its, stdout=its) as process:
            its.close()
            within_limit(talk(mine))
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_ticker_survives_restarts_of_its_server(self):
        async def watch():
            feed = Feed()
            await feed.open()
            async with Client("ticker", feed.url) as ticker:
                await ticker.until(r"^\(open\)")
                await feed.publish()
                await ticker.until("^1 EUR/USD")
                await feed.close()
                await ticker.until("^closed with 1001: ")
                await ticker.until(r"^\(waiting for \d+ ms\)")
                await feed.publish()
                await feed.publish()
                await ticker.until("refused")
                await feed.open()
                await ticker.until(r"^back after \d+ ms and \d+ tries")
                await feed.publish()
                await ticker.until("^missed 2: 2 to 3$")
                await ticker.until("^4 EUR/USD")
                await feed.crash()
                await ticker.until("^closed with 1006: ")
                await feed.open()
                await ticker.until("^back after ")
                await feed.publish()
                await ticker.until("^5 EUR/USD")
                self.assertEqual(len([line for line in ticker.seen if line.startswith("missed")]), 1)
                ticker.process.send_signal(signal.SIGINT)
                await ticker.until("^closed with 1000: ")
                self.assertEqual(await ticker.process.wait(), 0)
            await feed.close()

        within_limit(watch())

    def test_ticker_ends_without_a_server(self):
        async def watch():
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))  # and does not listen
                async with Client("ticker", f"ws://127.0.0.1:{taken.getsockname()[1]}/") as ticker:
                    await ticker.until(r"^\(waiting")
                    ticker.process.send_signal(signal.SIGINT)
                    await ticker.until(r"^\(ended\)")
                    self.assertEqual(await ticker.process.wait(), 0)

        within_limit(watch())

    def test_client_loses_no_line(self):
        async def echo(peer, _path):
            async for message in peer:
                await peer.send(f"you said {message}")

        async def talk():
            server = await websockets.serve(echo, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with Client("client", f"ws://127.0.0.1:{port}/") as client:
                client.type("hello")
                await client.until("^you said hello$")
                server.close()
                await server.wait_closed()
                await client.until("refused")
                client.type("anyone?")
                await client.until(r"^\(2 waits\)$")
                server = await websockets.serve(echo, "127.0.0.1", port)
                await client.until(r"^you said anyone\?$")
                client.process.stdin.close()
                await client.until("^\\(")
                self.assertEqual(await client.process.wait(), 0)
            server.close()
            async with Client("client", f"ws://127.0.0.1:{port}/") as client:
                await client.until("refused")
                client.type("too late")
                await client.until(r"^\(1 waits\)$")
                client.process.stdin.close()
                await client.until(r"^\(1: refused\)$")
                self.assertEqual(await client.process.wait(), 0)

        within_limit(talk())

    def test_blocking(self):
        lines = (SOURCES / "blocking.c").read_text().split("*/\n", 1)[1].splitlines()
        self.assertLessEqual(len([line for line in lines if line]), 20)

        with Example("echo") as example:
            self.assertEqual(subprocess.check_output([PROGRAMS / "blocking", example.url], timeout=LIMIT_S), b"hello\n")
        gone = subprocess.run([PROGRAMS / "blocking", example.url], capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual((gone.returncode, gone.stdout), (1, ""))
        # The kernel lets go of a killed server's io_uring, and of its listener with that, a moment later.
        self.assertRegex(gone.stderr, "^blocking: .*(refused|reset)")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
