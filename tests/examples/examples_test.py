#!/usr/bin/python3
"""Runs each example and talks to it with python3-websockets: examples_test.py PROGRAMS SOURCES"""
import asyncio
import pathlib
import re
import socket
import subprocess
import sys
import unittest

import websockets

PROGRAMS, SOURCES = map(pathlib.Path, sys.argv[1:3])
LIMIT_S = 10


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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
