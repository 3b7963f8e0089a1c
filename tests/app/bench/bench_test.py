"""The program `swale bench` as its users see it: against `swale serve --demo`, and against servers that misbehave.

Run by ctest with SWALE (the program) and MAN (the directory of the man pages) in the environment. What is asserted are
counts and names, never times and rates: those belong to the machine. Every server listens on a port that the kernel
chose.
"""
import asyncio
import contextlib
import json
import logging
import os
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import websockets

SWALE = os.environ["SWALE"]
MAN = os.environ["MAN"]
logging.getLogger("websockets").setLevel(logging.CRITICAL)
PATIENCE = 60  # seconds until something that should happen is taken for something that does not


def bench(*arguments, **options):
    return subprocess.run([SWALE, "bench", *arguments], capture_output=True, text=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, **options)


class Serve:
    """A running `swale serve --demo`."""

    def __init__(self, *arguments, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([SWALE, "serve", "--demo", "--log", "off", "--listen", listen, "--threads", "2",
                                         *arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("swale: listening on "), line
        self.address = line.split()[-1]
        self.port = self.address.rstrip("/").rpartition(":")[2]

    def ws(self, path="/echo"):
        return self.address.rstrip("/").replace("http", "ws") + path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.close()
        status = self.process.wait(PATIENCE)
        assert status == 0, f"swale serve ended with status {status}"


class Odd:
    """A WebSocket server of Python's whose handler, and whose first answer, are the test's."""

    def __init__(self, handler, **options):
        self.handler, self.options = handler, options
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    async def run(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        async with websockets.serve(self.handler, "127.0.0.1", 0, **self.options) as server:
            self.url = "ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.over.wait()

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(PATIENCE)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(PATIENCE)


def make_certificate(directory):
    certificate, key = directory + "/server.crt", directory + "/server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Bench(unittest.TestCase):
    def results(self, *arguments, status=0, **options):
        done = bench("--json", *arguments, **options)
        self.assertEqual((done.returncode, done.stderr), (status, ""))
        return json.loads(done.stdout)

    def assert_counts(self, messages, sent, received=None):
        received = sent if received is None else received
        self.assertEqual({name: messages[name] for name in ("asked", "sent", "expected", "received", "verified")},
                         {"asked": sent, "sent": sent, "expected": received, "received": received,
                          "verified": received})
        self.assertEqual((messages["differed"], messages["unexpected"]), (0, 0))


class CommandLine(Bench):
    def fails(self, status, fault, *arguments, **options):
        done = bench(*arguments, **options)
        self.assertEqual((done.returncode, done.stderr, done.stdout), (status, f"swale bench: {fault}\n", ""))

    def test_usage(self):
        self.fails(2, "the URL is missing; see swale bench --help")
        self.fails(2, 'unknown option "--wat"; see swale bench --help', "--wat")
        self.fails(2, '--depth: "0": not a number from 1 to 1000000', "--depth", "0", "ws://127.0.0.1:1/")

    def test_bad_url(self):
        for url in "http//x", "ftp://x/", "ws://", "ws://x/#y":
            done = bench(url)
            self.assertEqual((done.returncode, done.stdout), (2, ""), url)
            self.assertRegex(done.stderr, r"^swale bench: url: .*\n$")

    def test_bad_options_of_the_client(self):
        for arguments in ("--local-address", "x"), ("--subprotocol", "a b"), ("-H", "Na me: x"):
            done = bench(*arguments, "ws://127.0.0.1:1/")
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertRegex(done.stderr, r"^swale bench: .+\n$")

    def test_unreadable_authorities(self):
        done = bench("--cacert", "/nonexistent/ca", "wss://127.0.0.1:1/")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/ca", done.stderr)

    def test_what_does_not_fit(self):
        done = bench("-c", "300", "ws://127.0.0.1:1/",
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (33, 33)))
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "swale bench: 300 connections do not fit: a process may have 33 descriptors "
                         "(ulimit -Hn), and there are at most 256 processes\n")

    def test_manual_has_what_help_has(self):
        with open(MAN + "/swale-bench.1") as file:
            documented = re.findall(r"^\.It (?:Fl (\w) , )?Fl -([a-z-]+)", file.read(), re.M)
        options = re.findall(r"^  (?:-(\w), )?--([a-z-]+)", bench("--help").stdout, re.M)
        self.assertGreater(len(options), 25)
        self.assertEqual(documented, options)

    def test_help_fits_a_screen(self):
        lines = bench("--help").stdout.splitlines()
        self.assertLessEqual(len(lines), 42)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_version(self):
        self.assertRegex(bench("--version").stdout, r"^swale \d+\.\d+\.\d+\n$")


class Echo(Bench):
    def test_closed_loop(self):
        with Serve() as server:
            found = self.results("-n", "1000", "-c", "7", "--verify", server.ws())
        self.assert_counts(found["messages"], 1000)
        self.assertEqual(found["connections"], {"opened": 7, "failed": 0, "lost": 0, "open": 7})
        self.assertEqual(found["bytes"], {"sent": 64000, "received": 64000})
        self.assertEqual((found["mode"], found["rate"], found["interrupted"]), ("echo", None, False))
        self.assertEqual((found["errors"], found["latency_us"]["count"], found["opening_us"]["count"]), ({}, 1000, 7))
        self.assertEqual(found["lateness_us"]["count"], 0)
        order = [found["latency_us"][name] for name in ("min", "p50", "p75", "p90", "p99", "p99.9", "p99.99", "max")]
        self.assertEqual(order, sorted(order))
        self.assertGreater(order[0], 0)

    def test_open_loop(self):
        with Serve() as server:
            found = self.results("-n", "500", "-r", "5000", "-c", "3", "-t", "2", "--verify", server.ws())
        self.assert_counts(found["messages"], 500)
        self.assertEqual((found["rate"], found["lateness_us"]["count"]), (5000, 500))
        self.assertEqual(found["generator"]["threads"], 2)

    def test_kinds_sizes_and_depths(self):
        with Serve("--max-message", "4m", "--max-queue", "64m", "--max-rate", "off") as server:
            for arguments in (("--size", "1"), ("--size", "3", "--depth", "50"), ("--binary", "--size", "200000"),
                              ("--size", "3m", "-c", "2"), ("--depth", "100", "-t", "3"), ("--binary", "--deflate"),
                              ("--size", "5k", "--deflate=context", "--depth", "4"),
                              ("-r", "100000", "--depth", "1"), ("-r", "100000", "--depth", "7", "--size", "9k")):
                with self.subTest(arguments=arguments):
                    found = self.results("-n", "200", "--verify", *arguments, server.ws())
                    self.assert_counts(found["messages"], 200)

    def test_messages_that_fill_the_queue(self):
        with Serve() as server:
            found = self.results("-n", "12", "-c", "1", "--size", "400k", "--depth", "4", "--verify", server.ws())
        self.assert_counts(found["messages"], 12)

    def test_a_rate_that_fills_the_queue(self):
        """More than the kernel takes: the rest waits for room, and is late."""
        with Serve("--max-queue", "64m", "--max-rate", "off") as server:
            found = self.results("-n", "150", "-r", "100000", "-c", "1", "--size", "300k", "--verify", server.ws())
        self.assert_counts(found["messages"], 150)
        self.assertEqual(found["lateness_us"]["count"], 150)

    def test_more_connections_than_messages(self):
        with Serve() as server:
            found = self.results("-n", "5", "-c", "20", "-t", "2", "--verify", server.ws())
        self.assert_counts(found["messages"], 5)
        self.assertEqual(found["connections"]["opened"], 20)

    def test_by_time(self):
        with Serve() as server:
            found = self.results("-d", "200ms", "--warm-up", "100ms", "-r", "1000", "--verify", server.ws())
            closed = self.results("-d", "200ms", "--warm-up", "off", server.ws())
        # The pace alone decides how many are meant to leave within the time, and at its end all of them have.
        messages = found["messages"]
        self.assertEqual((messages["asked"], messages["sent"], messages["received"]), (200, 200, 200))
        self.assertAlmostEqual(found["seconds"], 0.2)
        self.assertEqual(closed["messages"]["sent"], closed["messages"]["received"])
        self.assertGreater(closed["messages"]["received"], 0)

    def test_table(self):
        with Serve() as server:
            done = bench("-n", "100", "--verify", server.ws())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("connections   10 opened, 0 failed, 0 lost\n", done.stdout)
        self.assertIn("messages      100 sent, 100 answered, 100 verified\n", done.stdout)
        self.assertRegex(done.stdout, r"\n +p50 +p75 +p90 +p99 +p99\.9 +p99\.99 +max +mean\nlatency ")

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            with Serve(listen=f"unix:{directory}/socket"):
                found = self.results("-n", "50", "--verify", f"ws+unix:{directory}/socket:/echo")
        self.assert_counts(found["messages"], 50)

    def test_name_instead_of_an_address(self):
        with Serve() as server:
            found = self.results("-n", "50", "--verify", server.ws().replace("127.0.0.1", "localhost"))
        self.assert_counts(found["messages"], 50)

    def test_request(self):
        seen = []

        async def echo(connection):
            seen.append((connection.request_headers["X-Test"], connection.request_headers["Origin"],
                         connection.subprotocol, connection.remote_address[0]))
            async for message in connection:
                await connection.send(message)
        with Odd(echo, subprotocols=["b"]) as server:
            self.results("-n", "4", "-c", "4", "-H", "X-Test: yes", "--origin", "https://a.example", "--subprotocol", "a",
                         "--subprotocol", "b", "--local-address", "127.0.0.7", "--local-address", "127.0.0.8", "--verify",
                         server.url)
        self.assertEqual(sorted(seen), [("yes", "https://a.example", "b", address)
                                        for address in ("127.0.0.7", "127.0.0.7", "127.0.0.8", "127.0.0.8")])


class Tls(Bench):
    def test_trust(self):
        with tempfile.TemporaryDirectory() as directory:
            certificate, key = make_certificate(directory)
            with Serve("--tls-cert", certificate, "--tls-key", key) as server:
                url = server.ws()
                self.assertTrue(url.startswith("wss://"))
                for arguments in ("--cacert", certificate), ("--insecure",):
                    found = self.results("-n", "100", "--verify", *arguments, url)
                    self.assert_counts(found["messages"], 100)
                found = self.results("--mode", "storm", "-n", "20", "--cacert", certificate, "--resume", url)
                self.assertEqual(found["messages"]["received"], 20)
                done = bench("-n", "10", url)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^swale bench: none of 10 connections opened: .*certificate.*\n$")


class FanOut(Bench):
    def test_one_process(self):
        with Serve() as server:
            found = self.results("--mode", "fan-out", "-n", "100", "--subscribers", "20", "--verify",
                                 server.ws("/topic/x"))
        self.assert_counts(found["messages"], 100, 2000)
        self.assertEqual(found["connections"]["opened"], 21)
        self.assertEqual((found["bytes"], found["latency_us"]["count"]), ({"sent": 10000, "received": 200000}, 2000))

    def test_several_of_everything(self):
        with Serve() as server:
            for arguments in (), ("--depth", "5"), ("-r", "1000"), ("-r", "1000", "--binary", "--size", "2000"):
                with self.subTest(arguments=arguments):
                    found = self.results("--mode", "fan-out", "-n", "60", "--subscribers", "11", "--publishers", "2",
                                         "-t", "3", "--verify", *arguments, server.ws("/topic/x"))
                    self.assert_counts(found["messages"], 60, 660)
                    self.assertEqual(found["generator"]["threads"], 3)

    def test_what_strangers_say_is_not_counted_as_ours(self):
        async def topic(connection):
            peers.add(connection)
            await connection.send("I am a stranger, and what I say has no stamp of this run's in it")
            async for message in connection:
                websockets.broadcast(peers - {connection}, message)
        peers = set()
        with Odd(topic) as server:
            found = self.results("--mode", "fan-out", "-n", "3", "--subscribers", "5", "--verify", server.url, status=3)
        messages = found["messages"]
        self.assertEqual((messages["received"], messages["verified"], messages["unexpected"]), (15, 15, 5))


    def lose(self, *arguments, publisher):
        """Of a load on a server that closes one connection when it has passed on three messages: a publisher's, or the first
        subscriber's."""
        async def topic(connection):
            peers.append(connection)
            async for message in connection:
                heard.append(message)
                websockets.broadcast([peer for peer in peers if peer is not connection], message)
                if len(heard) == 3:
                    await (connection if publisher else next(peer for peer in peers if peer is not connection)).close(1001)
        peers, heard = [], []
        with Odd(topic) as server:
            return self.results("--mode", "fan-out", "-n", "20", *arguments, server.url)

    def test_a_subscriber_that_is_lost(self):
        found = self.lose("--subscribers", "2", publisher=False)
        self.assertEqual((found["connections"]["lost"], found["messages"]["sent"]), (1, 20))
        self.assertIn(found["messages"]["received"], range(20, 40))

    def test_the_only_subscriber_is_lost(self):
        found = self.lose("--subscribers", "1", publisher=False)
        self.assertEqual(found["connections"]["lost"], 1)
        self.assertIn(found["messages"]["received"], range(1, 4))

    def test_a_publisher_that_is_lost(self):
        found = self.lose("--subscribers", "2", "--publishers", "2", publisher=True)
        self.assertEqual(found["connections"]["lost"], 1)
        self.assertIn(found["messages"]["sent"], range(10, 20))

    def test_messages_that_fill_the_queue(self):
        with Serve() as server:
            found = self.results("--mode", "fan-out", "-n", "12", "--subscribers", "1", "--size", "90k", "--depth", "3",
                                 "--verify", server.ws("/topic/x"))
        self.assert_counts(found["messages"], 12)

    def test_a_rate_that_fills_the_queue(self):
        with Serve("--max-queue", "64m", "--max-rate", "off") as server:
            found = self.results("--mode", "fan-out", "-n", "150", "-r", "100000", "--subscribers", "1", "--size", "300k",
                                 "--verify", server.ws("/topic/x"))
        self.assert_counts(found["messages"], 150)


class Storm(Bench):
    def test_closed_loop(self):
        with Serve() as server:
            found = self.results("--mode", "storm", "-n", "150", "-c", "8", "-t", "2", server.ws())
        self.assertEqual(found["connections"], {"opened": 150, "failed": 0, "lost": 0, "open": 0})
        self.assertEqual((found["messages"]["sent"], found["messages"]["received"]), (150, 150))
        self.assertEqual((found["latency_us"]["count"], found["lateness_us"]["count"]), (150, 0))

    def test_open_loop(self):
        with Serve() as server:
            found = self.results("--mode", "storm", "-n", "100", "-r", "2000", "-c", "4", "-t", "3", server.ws())
        self.assertEqual((found["messages"]["asked"], found["messages"]["received"]), (100, 100))
        self.assertEqual(found["lateness_us"]["count"], 100)

    def test_more_than_can_be_opened(self):
        """What was due and never begun is said, too."""
        with Serve() as server:
            found = self.results("--mode", "storm", "-r", "1000000", "-d", "300ms", "--warm-up", "off", "-c", "2", server.ws())
        self.assertLess(found["messages"]["sent"], found["messages"]["asked"])
        self.assertTrue(found["warnings"])

    def test_nobody_there(self):
        done = bench("--mode", "storm", "ws://127.0.0.1:1/")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("connections opened: connect to 127.0.0.1:1: ", done.stderr)


class Idle(Bench):
    def test_several_processes(self):
        """Few descriptors make several processes of it, and the server sees all of the connections at once."""
        with Serve() as server:
            found = self.results("--mode", "idle", "-c", "100", "-d", "100ms", server.ws(),
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        self.assertEqual(found["connections"], {"opened": 100, "failed": 0, "lost": 0, "open": 100})
        self.assertEqual(found["generator"]["threads"], 4)

    def test_more_than_one_address_may_have(self):
        with Serve() as server:
            found = self.results("--mode", "idle", "-c", "1100", "-d", "1ms", server.ws())
        self.assertEqual(found["connections"]["opened"], 1100)

    def test_at_a_rate(self):
        with Serve() as server:
            found = self.results("--mode", "idle", "-c", "30", "-r", "1000", "-t", "2", "-d", "1ms", server.ws())
        self.assertEqual(found["connections"]["opened"], 30)
        self.assertEqual(found["opening_us"]["count"], 30)


class Failing(Bench):
    def test_refused(self):
        done = bench("-c", "3", "ws://127.0.0.1:1/")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^swale bench: none of 3 connections opened: connect to 127\.0\.0\.1:1: "
                         r"[Cc]onnection refused\n$")

    def test_name_that_is_none(self):
        done = bench("ws://nothing.invalid/")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nothing.invalid", done.stderr)

    def test_some_are_refused(self):
        with Serve("--max-connections-per-address", "6") as server:
            found = self.results("-n", "60", "-c", "10", "--opening", "1", "--verify", server.ws())
        self.assert_counts(found["messages"], 60)
        self.assertEqual((found["connections"]["opened"], found["connections"]["failed"]), (6, 4))
        self.assertEqual(found["errors"], {"handshake answer-status 429": 4})

    def test_connections_that_are_closed(self):
        async def three_times(connection):
            for _ in range(3):
                await connection.send(await connection.recv())
            await connection.close(4000)
        with Odd(three_times) as server:
            found = self.results("-n", "100", "-c", "5", "--verify", server.url, status=3)
        self.assertEqual(found["connections"], {"opened": 5, "failed": 0, "lost": 5, "open": 0})
        self.assertEqual(found["errors"], {"open peer-closed 4000": 5})
        self.assertEqual((found["messages"]["received"], found["messages"]["verified"]), (15, 15))
        self.assertIn("messages never came", " ".join(found["warnings"]))

    def test_answers_that_differ(self):
        async def shout(connection):
            async for message in connection:
                await connection.send(message.upper())
        with Odd(shout) as server:
            found = self.results("-n", "20", "--verify", server.url, status=3)
            unseen = self.results("-n", "20", server.url)
        self.assertEqual((found["messages"]["received"], found["messages"]["differed"]), (20, 20))
        self.assertEqual((unseen["messages"]["received"], unseen["messages"]["differed"]), (20, 0))

    def test_answers_out_of_order(self):
        async def swap(connection):
            while True:
                first, second = await connection.recv(), await connection.recv()
                await connection.send(second)
                await connection.send(first)
        with Odd(swap) as server:
            found = self.results("-n", "8", "-c", "1", "--depth", "2", "--size", "1", "--verify", server.url, status=3)
        self.assertEqual((found["messages"]["received"], found["messages"]["differed"]), (8, 8))

    def test_answers_that_never_come(self):
        async def ignore(connection):
            await connection.wait_closed()
        with Odd(ignore) as server:
            found = self.results("-n", "5", "-c", "5", "--timeout", "300ms", "--verify", server.url, status=3)
        self.assertEqual((found["messages"]["sent"], found["messages"]["received"]), (5, 0))
        self.assertEqual(found["connections"]["open"], 5)

    def test_messages_that_nobody_asked_for(self):
        async def chatter(connection):
            await connection.send("hello")
            async for message in connection:
                await connection.send(message)
        with Odd(chatter) as server:
            found = self.results("-n", "4", "-c", "2", "--verify", server.url, status=3)
        self.assertEqual((found["messages"]["received"], found["messages"]["unexpected"]), (4, 2))

    def test_standard_output_that_is_full(self):
        with Serve() as server, open("/dev/full", "w") as full:
            for arguments in (), ("--json",):
                done = subprocess.run([SWALE, "bench", "-n", "10", *arguments, server.ws()], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, "^swale bench: standard output: .+\n$")


class Ending(Bench):
    def start(self, *arguments):
        return subprocess.Popen([SWALE, "bench", "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def children(self, process):
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            return file.read().split()

    def test_interrupted(self):
        def interrupt(*arguments):
            async def echo(connection):
                async for message in connection:
                    await connection.send(message)
                    seen.release()
            seen = threading.Semaphore(0)
            with Odd(echo) as server:
                process = self.start("--verify", *arguments, server.url)
                for _ in range(100):
                    self.assertTrue(seen.acquire(timeout=PATIENCE))
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=PATIENCE)
            self.assertEqual(err, "")
            return process.returncode, json.loads(out)
        timing = ("-d", "1h", "--warm-up", "off")
        for arguments in ("-t", "2", *timing), ("-r", "1000", *timing), ("--count", "1000000"):
            with self.subTest(arguments=arguments):
                status, found = interrupt(*arguments)
                self.assertEqual(status, 0)
                self.assertTrue(found["interrupted"])
                self.assertGreaterEqual(found["messages"]["received"], 100)
                self.assertEqual(found["messages"]["sent"], found["messages"]["received"])

    def test_interrupted_twice(self):
        """Answers never come, the time to wait for them is long; the second signal does not wait."""
        opened = threading.Semaphore(0)

        async def ignore(connection):
            await connection.recv()
            opened.release()
            await connection.wait_closed()
        with Odd(ignore) as server:
            process = self.start("-c", "1", "-d", "1h", "--warm-up", "off", "--timeout", "1h", server.url)
            self.assertTrue(opened.acquire(timeout=PATIENCE))
            process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < deadline:
                # Two that are pending at once are one: it has to have seen the first.
                time.sleep(0.05)
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
            self.assertIsNotNone(process.returncode)

    def test_interrupted_while_opening(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            silent.settimeout(PATIENCE)
            process = self.start("--timeout", "1h", "-d", "1h", "ws://127.0.0.1:%d/" % silent.getsockname()[1])
            peer, _ = silent.accept()
            with contextlib.closing(peer):
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertEqual(err, "swale bench: interrupted before any connection was open\n")

    def test_a_process_that_dies(self):
        """Its results are missing, and said to be; the others go on."""
        with Serve() as server:
            process = self.start("-t", "2", "-c", "4", "-d", "1h", "--warm-up", "off", "-r", "100", server.ws())
            with contextlib.closing(process.stdout), contextlib.closing(process.stderr):
                deadline = time.monotonic() + PATIENCE
                while len(self.children(process)) < 2 and time.monotonic() < deadline:
                    time.sleep(0.01)
                os.kill(int(self.children(process)[0]), signal.SIGKILL)
                while len(self.children(process)) > 1 and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=PATIENCE)
        # It may have died before the others had opened anything.
        self.assertIn(process.returncode, (0, 1))
        if process.returncode == 0:
            self.assertIn("1 processes ended without results", json.loads(out)["warnings"])

    def test_no_process_outlives_its_parent(self):
        with Serve() as server:
            process = self.start("-t", "2", "-d", "1h", server.ws())
            deadline = time.monotonic() + PATIENCE
            while len(self.children(process)) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            workers = self.children(process)
            process.kill()
            # The pipes are theirs, too: they are at their end when nobody has them any more.
            process.communicate(timeout=PATIENCE)
        self.assertEqual(len(workers), 2)


class Progress(Bench):
    def test_on_a_terminal(self):
        shown = b""
        master, slave = pty.openpty()
        with Serve() as server:
            process = subprocess.Popen([SWALE, "bench", "-d", "600ms", "--warm-up", "off", "-r", "100", server.ws()],
                                       stdout=subprocess.PIPE, stderr=slave, text=True)
            os.close(slave)
            with contextlib.suppress(OSError):  # the terminal's end
                while select.select([master], [], [], PATIENCE)[0]:
                    shown += os.read(master, 4096)
            out, _ = process.communicate(timeout=PATIENCE)
        os.close(master)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(shown, rb"\r\d\.\d of 0\.6 s: \d+ messages/s; 10 open, 0 lost\x1b\[K")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)
        self.assertNotIn("\r", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
