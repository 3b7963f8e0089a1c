"""The program `swale serve` as its users see it: over real sockets, with a client that we did not write.

Run by ctest with SWALE (the program) and MAN (the directory of the man pages) in the environment. Every server
listens on a port that the kernel chose, which is read from the line that it prints.
"""
import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import websockets

SWALE = os.environ["SWALE"]
MAN = os.environ["MAN"]
PATIENCE = 30  # seconds until something that should happen is taken for something that does not


def run(*arguments, **options):
    return subprocess.run([SWALE, *arguments], capture_output=True, text=True, timeout=PATIENCE, **options)


class Server:
    """A running `swale serve`. `log` is what it wrote to standard error so far."""

    def __init__(self, *arguments, stderr=subprocess.PIPE, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([SWALE, "serve", "--listen", listen, "--threads", "2", *arguments],
                                        stdout=subprocess.PIPE, stderr=stderr, text=True)
        self.lines = []
        self.news = threading.Condition()
        if stderr == subprocess.PIPE:
            self.reader = threading.Thread(target=self.read_log)
            self.reader.start()
        line = self.process.stdout.readline()
        assert line.startswith("swale: listening on "), line or self.process.communicate()
        self.url = line.split()[-1]
        self.port = int(self.url.split(":")[-1].rstrip("/")) if self.url.startswith("http") else 0

    def read_log(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()

    def wait_log(self, text):
        """The first line with this text, for which it waits."""
        def find():
            return next((line for line in self.lines if text in line), None)
        with self.news:
            assert self.news.wait_for(find, PATIENCE), f"no {text!r} in {self.lines}"
            return find()

    def ws(self, path, **options):
        return websockets.connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    def get(self, path, method="GET", headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def metric(self, line):
        """The value behind the beginning of this line in /metrics."""
        text = self.get("/metrics")[2].decode()
        return float(re.search("^" + re.escape(line) + " (.*)$", text, re.M).group(1))

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """The exit status; sends SIGTERM when it still runs."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stderr:
                self.reader.join()
                self.process.stderr.close()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        status = self.end()
        assert status == 0, f"exit status {status}:\n" + "".join(self.lines[-100:])


def asynchronous(test):
    def wrapped(self):
        asyncio.run(asyncio.wait_for(test(self), PATIENCE * 2))
    return wrapped


async def receive(connection):
    return await asyncio.wait_for(connection.recv(), PATIENCE)


class CommandLine(unittest.TestCase):
    def fails(self, status, fault, *arguments, **options):
        done = run("serve", *arguments, **options)
        self.assertEqual((done.returncode, done.stderr, done.stdout), (status, f"swale serve: {fault}\n", ""))

    def test_commands(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("dance").returncode, 2)
        self.assertIn("no such command: dance", run("dance").stderr)
        self.assertIn("serve", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"^swale \d+\.\d+\.\d+\n$")
        self.assertEqual(run("serve", "--version").stdout, run("--version").stdout)

    def test_usage(self):
        self.fails(2, '--listen: "foo": not HOST:PORT or unix:PATH', "--listen", "foo")
        self.fails(2, '--max-message: "1x": not a size such as 4096, 64k or 1m', "--max-message", "1x")
        self.fails(2, "--tls-key without --tls-cert", "--tls-key", "key")
        self.fails(2, 'unknown option "--wat"; see swale serve --help', "--wat")

    def test_backend_of_the_environment(self):
        done = run("serve", env={**os.environ, "SWALE_BACKEND": "steam"})
        self.assertEqual(done.returncode, 2)
        self.assertIn("SWALE_BACKEND", done.stderr)

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.fails(1, f"{address}: address already in use", "--listen", address)

    def test_missing_root(self):
        self.fails(1, "--root: /nonexistent/x: no such file or directory", "--root", "/nonexistent/x")

    def test_unreadable_key(self):
        with tempfile.TemporaryDirectory() as directory:
            certificate, _ = make_certificate(directory, "a")
            done = run("serve", "--tls-cert", certificate, "--tls-key", directory + "/missing.key")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^swale serve: .*missing\.key.*\n$")
            done = run("serve", "--tls-cert", directory + "/missing.crt", "--tls-key", directory + "/missing.key")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^swale serve: .*missing\.crt.*\n$")

    def test_every_option_is_in_the_man_page(self):
        with open(MAN + "/swale-serve.1") as file:
            manual = file.read()
        options = re.findall(r"^  --([a-z-]+)", run("serve", "--help").stdout, re.M)
        documented = re.findall(r"^\.It Fl -([a-z-]+)", manual, re.M)
        self.assertGreater(len(options), 30)
        self.assertEqual(documented, options)

    def test_help_fits_a_screen(self):
        lines = run("serve", "--help").stdout.splitlines()
        self.assertLessEqual(len(lines), 42)
        self.assertLessEqual(max(map(len, lines)), 80)


class Listening(unittest.TestCase):
    def test_prints_each_listener(self):
        with tempfile.TemporaryDirectory() as directory:
            path = directory + "/socket"
            with Server("--listen", "unix:" + path, "--demo") as server:
                self.assertEqual(server.process.stdout.readline(), f"swale: listening on unix:{path}\n")
                self.assertEqual(server.process.stdout.readline(), f"swale: open {server.url} in a browser\n")
                self.assertRegex(server.url, r"^http://127\.0\.0\.1:\d+/$")
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    self.assertTrue(client.makefile("rb").read().endswith(b"\r\n\r\nok\n"))
            self.assertFalse(os.path.exists(path))

    def test_invites_to_this_machine(self):
        for listen in ":0", "0.0.0.0:0", "[::]:0":
            with Server("--demo", listen=listen) as server:
                self.assertEqual(server.process.stdout.readline(),
                                 f"swale: open http://localhost:{server.port}/ in a browser\n")

    def test_serves_nothing_unasked(self):
        with Server() as server:
            self.assertEqual(server.get("/healthz")[0], 200)
            for path in "/", "/metrics", "/echo", "/topic/x", "/live/metrics", "/chat.html":
                self.assertEqual(server.get(path)[0], 404, path)

    def test_serves_files(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(directory + "/index.html", "w") as file:
                file.write("<p>mine</p>")
            with Server("--root", directory, "--metrics") as server:
                self.assertEqual(server.get("/")[2], b"<p>mine</p>")
                self.assertEqual(server.get("/metrics")[0], 200)
                self.assertEqual(server.get("/../etc/passwd")[0] // 100, 4)

    @asynchronous
    async def test_limits_reach_the_server(self):
        with Server("--demo", "--max-message", "10", "--origin", "https://a.example") as server:
            async with server.ws("/echo", origin="https://a.example") as connection:
                with self.assertRaises(websockets.InvalidStatusCode) as caught:
                    await server.ws("/echo", origin="https://b.example")
                self.assertEqual(caught.exception.status_code, 403)
                await connection.send("1234567890")
                self.assertEqual(await receive(connection), "1234567890")
                await connection.send("12345678901")
                with self.assertRaises(websockets.ConnectionClosed):
                    await receive(connection)
                self.assertEqual(connection.close_code, 1009)

    @asynchronous
    async def test_too_many_connections(self):
        with Server("--demo", "--max-connections", "1") as server:
            async with server.ws("/echo") as connection:
                with self.assertRaises(websockets.InvalidStatusCode) as caught:
                    await server.ws("/echo")
                self.assertEqual(caught.exception.status_code, 503)
                await connection.send("undisturbed")
                self.assertEqual(await receive(connection), "undisturbed")


class Demo(unittest.TestCase):
    @asynchronous
    async def test_echo(self):
        with Server("--demo") as server:
            async with server.ws("/echo", subprotocols=["second", "first"]) as connection:
                self.assertEqual(connection.subprotocol, "second")
                for message in "", "text \u00e4\u20ac", b"", b"\x00\xff", "x" * 200000, b"y" * 1048576:
                    await connection.send(message)
                    self.assertEqual(await receive(connection), message)
            async with server.ws("/echo") as connection:
                self.assertIsNone(connection.subprotocol)
                for n in range(2000):
                    await connection.send(str(n))
                for n in range(2000):
                    self.assertEqual(await receive(connection), str(n))
            self.assertEqual(server.get("/echo")[0], 426)

    @asynchronous
    async def test_echo_compressed(self):
        with Server("--demo", "--deflate=context") as server:
            async with server.ws("/echo", compression="deflate") as connection:
                self.assertEqual(connection.extensions[0].name, "permessage-deflate")
                for n in range(20):
                    await connection.send("again and again " * 1000)
                    self.assertEqual(await receive(connection), "again and again " * 1000)

    @asynchronous
    async def test_topic(self):
        with Server("--demo") as server:
            async with contextlib.AsyncExitStack() as stack:
                enter = stack.enter_async_context
                room = [await enter(server.ws("/topic/a%2Fb%20%C3%A4")) for _ in range(4)]
                other = await enter(server.ws("/topic/other?self=1"))
                selfish = await enter(server.ws("/topic/a%2Fb%20%C3%A4?self=1"))
                await room[0].send("hello")
                await room[0].send(b"bytes")
                await selfish.send("mine too")
                await other.send("alone")
                for member in room[1:]:
                    self.assertEqual({await receive(member), await receive(member), await receive(member)},
                                     {"hello", b"bytes", "mine too"})
                self.assertEqual({await receive(selfish) for _ in range(3)}, {"hello", b"bytes", "mine too"})
                self.assertEqual(await receive(room[0]), "mine too")
                self.assertEqual(await receive(other), "alone")
                self.assertEqual(server.metric("swale_topics"), 5)  # three are configured
                self.assertEqual(server.metric("swale_subscriptions"), 6)
                self.assertEqual(server.metric("swale_deliveries_lost_total{outcome=\"closed\"}"), 0)

    @asynchronous
    async def test_topic_keeps_the_order_across_threads(self):
        with Server("--demo") as server:
            async with contextlib.AsyncExitStack() as stack:
                room = [await stack.enter_async_context(server.ws("/topic/order")) for _ in range(8)]
                for n in range(500):
                    await room[0].send(str(n))
                for member in room[1:]:
                    self.assertEqual([await receive(member) for _ in range(500)], [str(n) for n in range(500)])

    @asynchronous
    async def test_topic_names(self):
        with Server("--demo") as server:
            for path in "/topic/%ff", "/topic/%0a", "/topic/%C2%85", "/topic/" + "x" * 256:
                with self.assertRaises(websockets.InvalidStatusCode) as caught:
                    await server.ws(path)
                self.assertIn(caught.exception.status_code, (400, 404), path)
            for path in "/topic/", "/topic/a/b":
                with self.assertRaises(websockets.InvalidStatusCode) as caught:
                    await server.ws(path)
                self.assertEqual(caught.exception.status_code, 404, path)
            async with server.ws("/topic/" + "x" * 255 + "?self=1") as connection:
                await connection.send("long")
                self.assertEqual(await receive(connection), "long")

    @asynchronous
    async def test_slow_reader_is_closed_and_disturbs_nobody(self):
        with Server("--demo") as server:
            with socket.create_connection(("127.0.0.1", server.port)) as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.sendall(b"GET /topic/flood HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
                self.assertTrue(slow.recv(1024).startswith(b"HTTP/1.1 101 "))
                async with server.ws("/topic/flood", max_size=None) as sender, server.ws("/topic/flood") as reader:
                    for n in range(200):
                        await sender.send(b"%06d" % n + b"x" * 100000)
                        self.assertEqual((await receive(reader))[:6], b"%06d" % n)
                    server.wait_log("slow-reader")
                    self.assertEqual(server.metric('swale_deliveries_lost_total{outcome="closed"}'), 1)
                    self.assertEqual(server.metric('swale_closed_total{reason="slow-reader"}'), 1)

    @asynchronous
    async def test_live_metrics(self):
        with Server("--demo") as server:
            async with server.ws("/live/metrics") as viewer, server.ws("/echo") as connection:
                first = json.loads(await receive(viewer))
                await connection.send("four")
                await receive(connection)
                second = json.loads(await receive(viewer))
                while second["messages"]["in"] == 0:
                    second = json.loads(await receive(viewer))
                self.assertGreater(second["time_ms"], first["time_ms"])
                self.assertEqual(second["connections"]["open"], 2)
                self.assertEqual((second["messages"]["in"], second["bytes"]["in"]), (1, 4))
                self.assertEqual(set(second), {"time_ms", "connections", "messages", "bytes", "queued", "lag_us", "closed",
                                               "refused", "topics", "subscriptions", "delivered", "dropped"})

    @asynchronous
    async def test_scores(self):
        with Server("--demo") as server:
            async with server.ws("/topic/scores") as viewer:
                matches = [json.loads(await receive(viewer)) for _ in range(4)]
                self.assertEqual(len({match["match"] for match in matches}), 4)
                self.assertEqual(set(matches[0]), {"match", "home", "away", "score", "minute", "event"})

    def test_pages(self):
        with Server("--demo") as server:
            status, headers, body = server.get("/")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
            self.assertIn("default-src 'self'", headers["Content-Security-Policy"])
            self.assertEqual(body, server.get("/index.html")[2])
            again = server.get("/", headers={"If-None-Match": headers["ETag"]})
            self.assertEqual((again[0], again[2]), (304, b""))
            self.assertEqual(server.get("/", method="HEAD")[2], b"")
            for link in set(re.findall(r'(?:src|href)="([a-z]+\.[a-z]+)"', body.decode())):
                self.assertEqual(server.get("/" + link)[0], 200, link)
            self.assertEqual(server.get("/swale.js")[1]["Content-Type"], "text/javascript; charset=utf-8")
            self.assertEqual(server.get("/README.md")[0], 404)


class Metrics(unittest.TestCase):
    SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})? (-?[0-9.]+)$')

    def test_syntax(self):
        with Server("--metrics") as server:
            server.get("/nothing")
            status, headers, body = server.get("/metrics")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
            types, seen = {}, set()
            for line in body.decode().splitlines():
                if line.startswith("# TYPE "):
                    _, _, name, kind = line.split()
                    self.assertNotIn(name, types)
                    types[name] = kind
                elif not line.startswith("# HELP "):
                    sample = self.SAMPLE.match(line)
                    self.assertTrue(sample, line)
                    self.assertIn(sample.group(1), types)
                    self.assertNotIn(sample.group(1, 2), seen)
                    seen.add(sample.group(1, 2))
            for name, kind in types.items():
                self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertEqual(server.metric('swale_refused_total{reason="not-found"}'), 1)
            self.assertEqual(server.metric('swale_connections{state="open"}'), 0)
            self.assertLess(abs(server.metric("process_start_time_seconds") - time.time()), 60)


class Signals(unittest.TestCase):
    def test_sigterm_drains(self):
        self.drain_with(signal.SIGTERM)

    def test_sigint_drains(self):
        self.drain_with(signal.SIGINT)

    def drain_with(self, number):
        async def go():
            server = Server("--demo")
            try:
                connections = [await server.ws("/echo") for _ in range(10)]
                server.signal(number)
                for connection in connections:
                    await asyncio.wait_for(connection.wait_closed(), PATIENCE)
                    self.assertEqual(connection.close_code, 1001)
            finally:
                status = server.end()
            self.assertEqual(status, 0)
            self.assertEqual(sum("reason=draining" in line for line in server.lines), 10)
        asyncio.run(go())

    def stubborn(self, server):
        """A WebSocket that answers nothing."""
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        self.assertTrue(client.recv(1024).startswith(b"HTTP/1.1 101 "))
        return client

    def test_second_sigterm_ends_at_once(self):
        server = Server("--demo", "--drain", "10m", "--close-wait", "10m")
        with self.stubborn(server):
            server.signal(signal.SIGTERM)
            server.wait_log("drain")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end(), 0)

    def test_drain_is_bounded(self):
        server = Server("--demo", "--drain", "200ms", "--close-wait", "10m")
        with self.stubborn(server):
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end(), 0)

    def test_strange_signals_are_borne(self):
        with Server("--demo") as server:
            for number in signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE, signal.SIGHUP:
                server.signal(number)
            server.wait_log("no certificates to reload")
            self.assertEqual(server.get("/healthz")[0], 200)


def make_certificate(directory, name):
    """A self-signed certificate and its key: their paths."""
    certificate, key = f"{directory}/{name}.crt", f"{directory}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Tls(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.certificate, self.key = make_certificate(self.directory.name, "first")

    def tearDown(self):
        self.directory.cleanup()

    def served(self, server):
        """The certificate that a new connection is shown."""
        return ssl.get_server_certificate(("127.0.0.1", server.port)).strip()

    def read(self, path):
        with open(path) as file:
            return file.read().strip()

    def serve(self, *arguments):
        return Server("--demo", "--tls-cert", self.certificate, "--tls-key", self.key, *arguments)

    @asynchronous
    async def test_reload(self):
        trust = ssl.create_default_context(cafile=self.certificate)
        with self.serve() as server:
            self.assertTrue(server.url.startswith("https://"))
            async with websockets.connect(f"wss://127.0.0.1:{server.port}/echo", ssl=trust) as connection:
                first = self.read(self.certificate)
                self.assertEqual(self.served(server), first)
                second, second_key = make_certificate(self.directory.name, "second")
                os.replace(second, self.certificate)
                os.replace(second_key, self.key)
                server.signal(signal.SIGHUP)
                server.wait_log("certificates reloaded")
                self.assertEqual(self.served(server), self.read(self.certificate))
                self.assertNotEqual(self.served(server), first)

                good = self.served(server)
                with open(self.certificate, "w") as file:
                    file.write("nonsense")
                server.signal(signal.SIGHUP)
                self.assertIn("first.crt", server.wait_log("reason=tls-certificate"))
                self.assertEqual(self.served(server), good)

                await connection.send("still here")
                self.assertEqual(await receive(connection), "still here")

    def test_client_certificates(self):
        client, client_key = make_certificate(self.directory.name, "client")
        with self.serve("--tls-client-ca", client) as server:
            context = ssl.create_default_context(cafile=self.certificate)
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.get_health(server, context)
            context.load_cert_chain(client, client_key)
            self.assertEqual(self.get_health(server, context), b"ok\n")
        with self.serve("--tls-client-ca", client, "--tls-client-optional") as server:
            context = ssl.create_default_context(cafile=self.certificate)
            self.assertEqual(self.get_health(server, context), b"ok\n")

    def get_health(self, server, context):
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            return connection.getresponse().read()


class Log(unittest.TestCase):
    HOSTILE = b"\x80\xff\t\"\\ \xc3\xa4 }{ \xe2\x80\xae " + b"x" * 1000

    def ask_hostilely(self, server):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /nothing?token=secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: " +
                           self.HOSTILE + b"\r\n\r\n")
            client.makefile("rb").read()

    def test_json(self):
        with Server("--demo", "--log", "json") as server:
            self.ask_hostilely(server)
            line = server.wait_log("/nothing")
            asyncio.run(self.open_and_close(server))
        records = [json.loads(line) for line in server.lines]
        self.assertEqual([record["event"] for record in records],
                         ["listen", "refuse", "open", "close", "drain", "drain"])
        self.assertEqual((records[1]["path"], records[1]["status"], records[1]["reason"]), ("/nothing", 404, "not-found"))
        self.assertTrue(records[1]["agent"].endswith("x..."))
        self.assertEqual(records[2]["id"], records[3]["id"])
        self.assertEqual((records[3]["reason"], records[3]["code"]), ("peer-closed", 1000))
        self.assertTrue(line.isascii() and line[:-1].isprintable())
        self.assertNotIn("secret", "".join(server.lines))

    async def open_and_close(self, server):
        async with server.ws("/echo?token=secret"):
            pass
        await asyncio.get_running_loop().run_in_executor(None, server.wait_log, '"close"')

    def test_text(self):
        with Server() as server:
            self.ask_hostilely(server)
            line = server.wait_log("/nothing")
        self.assertTrue(line.isascii() and line[:-1].isprintable())
        self.assertNotIn("secret", "".join(server.lines))

    def test_off(self):
        with Server("--log", "off") as server:
            self.ask_hostilely(server)
        self.assertEqual(server.lines, [])

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            with Server("--demo", stderr=full) as server:
                for _ in range(20):
                    self.ask_hostilely(server)
                self.assertGreater(server.metric("swale_log_lines_dropped_total"), 0)

    def test_blocked_pipe(self):
        """Nobody reads the log while far more is logged than pipe and buffer hold; the server does not mind."""
        reading, writing = os.pipe()
        try:
            with Server("--demo", "--max-connections-per-address", "off", stderr=writing) as server:
                while server.metric("swale_log_lines_dropped_total") == 0:
                    for _ in range(50):
                        self.ask_hostilely(server)
                self.assertEqual(server.get("/healthz")[0], 200)
                asyncio.run(self.echo(server))
        finally:
            os.close(reading)
            os.close(writing)

    async def echo(self, server):
        async with server.ws("/echo") as connection:
            await connection.send("x")
            self.assertEqual(await receive(connection), "x")


if __name__ == "__main__":
    unittest.main(verbosity=2)
