"""The program `swale connect` as scripts see it: exit statuses, standard input and output, and what servers get of it.
The servers are scripted ones (see scripted.py), python3-websockets, and `swale serve --demo`.

Run by ctest with SWALE_PROGRAM (the program) and MAN (the directory of the man pages) in the environment.
"""
import asyncio
import base64
import contextlib
import fcntl
import hashlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import websockets
from program import Certificate, Program, until

from pseudo_terminal import leave
from scripted import BINARY, CLOSE, PING, PONG, TEXT, Scripted, close_frame, frame

SWALE = os.environ["SWALE_PROGRAM"]
MAN = os.environ["MAN"]
PATIENCE = 30
F_SETPIPE_SZ = 1031
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def run(*arguments, input=b"", environment={}, **options):
    """Runs it to its end."""
    if "stdin" not in options:
        options["input"] = input
    return subprocess.run([SWALE, "connect", *arguments], timeout=PATIENCE, env={**ENVIRONMENT, **environment},
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})


@contextlib.contextmanager
def running(*arguments, **options):
    """It, while the test goes on."""
    process = subprocess.Popen([SWALE, "connect", *arguments], env=ENVIRONMENT,
                               **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                  **options})
    try:
        yield process
    finally:
        leave(process, time.sleep)
        for file in process.stdin, process.stdout, process.stderr:
            if file:
                file.close()


def read_line(file):
    assert select.select([file], [], [], PATIENCE)[0], "no line came"
    return file.readline()


def echo(connection):
    """Sends back what comes, as it came."""
    connection.accept()
    while True:
        opcode, payload = connection.read_frame()
        if opcode is None:
            return "dropped"
        connection.send(frame(PONG if opcode == PING else opcode, payload))
        if opcode == CLOSE:
            return payload


def collect(connection):
    connection.accept()
    return connection.read_messages()


class Case(unittest.TestCase):
    def ends(self, status, line, *arguments, **options):
        """It ends with this status, and one line on standard error that this expression fits."""
        done = run(*arguments, **options)
        errors = done.stderr.decode()
        self.assertEqual(done.returncode, status, errors)
        self.assertRegex(errors, r"\Aswale connect: " + line + r"\n\Z")
        self.assertNotIn("\033", errors)
        return done


class CommandLine(Case):
    def test_usage(self):
        self.ends(2, "no URL; see swale connect --help")
        self.ends(2, 'unknown option "--wat"; see swale connect --help', "--wat", "ws://x")
        self.ends(2, ".*url: .*", "ftp://x")
        self.ends(2, ".*", "-H", "Connection: close", "ws://127.0.0.1:1/")
        self.ends(2, ".*", "--proxy", "gopher://x", "ws://127.0.0.1:1/")
        self.ends(2, ".*", "--dns-servers", "what", "ws://127.0.0.1:1/")

    def test_every_option_is_in_the_man_page(self):
        with open(MAN + "/swale-connect.1") as file:
            manual = file.read()
        shown = run("--help").stdout.decode()
        options = re.findall(r"^  ((?:-\w, )?--[a-z-]+)", shown, re.M)
        documented = re.findall(r"^\.It (?:Fl (\w) , )?Fl -([a-z-]+)", manual, re.M)
        self.assertGreater(len(options), 30)
        self.assertEqual([f"-{letter}, --{name}" if letter else f"--{name}" for letter, name in documented], options)
        statuses = re.findall(r"^ +(\d+)  ", shown.partition("Exit status\n")[2], re.M)
        described = re.findall(r"^\.It (\d+)$", manual.partition(".Sh EXIT STATUS")[2], re.M)
        self.assertEqual(described, statuses)
        self.assertEqual(len(statuses), 15)

    def test_help_is_no_wider_than_a_terminal(self):
        self.assertLessEqual(max(map(len, run("--help").stdout.decode().splitlines())), 80)

    def test_the_environment_names_a_backend(self):
        self.ends(2, "the environment's SWALE_BACKEND names no backend", "ws://127.0.0.1:1/",
                  environment={"SWALE_BACKEND": "steam"})

    def test_version(self):
        self.assertRegex(run("--version").stdout.decode(), r"\Aswale \d+\.\d+\.\d+\n\Z")


class ExitStatus(Case):
    """One test for each, in their order."""

    def against(self, script, status, line, *arguments, **options):
        with Scripted(script) as server:
            return self.ends(status, line, *arguments, server.url(), **options)

    def test_0_clean_close(self):
        for code in 1000, 1001:
            def script(connection):
                connection.accept()
                connection.send(frame(TEXT, b"bye") + close_frame(code, b"\033"))
                return connection.read_frame()
            with Scripted(script) as server:
                done = run("--wait", server.url())
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"bye\n", b""))
                self.assertEqual(server.wait(), [(CLOSE, struct.pack("!H", code))])

    def test_0_own_close(self):
        with Scripted(collect) as server:
            done = run(server.url())
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
            self.assertEqual(server.wait(), [[struct.pack("!H", 1000)]])

    def test_3_resolve(self):
        with NoNames() as names:
            self.ends(3, "resolve nobody.example: .*", "--dns-servers", names.address, "ws://nobody.example/")

    def test_4_connect(self):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            self.ends(4, f"connect to 127.0.0.1:{port}: .*refused", f"ws://127.0.0.1:{port}/")

    def test_5_proxy(self):
        with Scripted(lambda connection: connection.answer("403 No")) as proxy:
            self.ends(5, ".*proxy.*", "--proxy", proxy.url(scheme="http"), "ws://server.example/")
        with Scripted(lambda connection: connection.answer("407 Login")) as proxy:
            self.ends(5, ".*proxy.*", "ws://server.example/", environment={"http_proxy": proxy.url(scheme="http")})
        with Scripted(lambda connection: connection.send(b"SSH-2.0\r\n")) as proxy:
            self.ends(5, ".*proxy.*", "--proxy", proxy.url(scheme="http"), "ws://server.example/")

    def test_6_tls(self):
        with Scripted(lambda sock: sock.sendall(b"HTTP/1.1 400 TLS?\r\n\r\n"), raw=True) as server:
            self.ends(6, "TLS with .* does not speak TLS.*", server.url(scheme="wss"))
        self.ends(6, ".*nothing.pem.*", "--cacert", "/nothing.pem", "wss://127.0.0.1:1/")

    def test_7_refused(self):
        self.against(lambda connection: connection.answer("401 Go", b"<p>", "Content-Type: text/html"), 7,
                     "refused with 401 Go")
        self.against(lambda connection: connection.answer("503"), 7, "refused with 503 Service Unavailable")
        self.against(lambda connection: connection.answer("302 Found", b"", "Location: /other"), 7,
                     "refused with 302 Found, which leads to /other.*")
        self.against(lambda connection: connection.answer("404 No", b"Say \033who.\nMore.", "Content-Type: text/plain"),
                     7, r"refused with 404 No: Say \\x1bwho\.")

    def test_8_no_answer(self):
        self.against(lambda connection: connection.send(b"SSH-2.0\033\r\n"), 8, ".*")
        self.against(lambda connection: None, 8, ".*")

        def wrong_accept(connection):
            connection.fields["sec-websocket-key"] = "x"
            connection.accept()
            connection.read_frame()
        self.against(wrong_accept, 8, ".*Sec-WebSocket-Accept.*")

        def strange_extension(connection):
            connection.accept("Sec-WebSocket-Extensions: turbo")
            connection.read_frame()
        self.against(strange_extension, 8, ".*extension.*")

        def strange_subprotocol(connection):
            connection.accept("Sec-WebSocket-Protocol: other")
            connection.read_frame()
        self.against(strange_subprotocol, 8, ".*subprotocol.*", "-s", "mine")

    def test_9_timeout(self):
        self.against(lambda connection: connection.read_frame(), 9, "gave up after 300 ms of .*",
                     "--connect-timeout", "300ms")
        self.against(echo, 9, r"no end within 0\.3 s \(--timeout\)", "--timeout", "300ms", "--wait")
        self.against(lambda connection: connection.read_frame(), 9, r"no end within 0\.3 s \(--timeout\)",
                     "--timeout", "300ms", "--reconnect")

    def test_10_closed(self):
        def close(data):
            def script(connection):
                connection.accept()
                connection.send(data)
                connection.read_frame()
            return script
        self.against(close(close_frame(1008, b"no\033[2J")), 10, r"closed by the server with 1008: no\\x1b\[2J",
                     "--wait")
        self.against(close(close_frame(4000)), 10, "closed by the server with 4000", "--wait")
        self.against(close(frame(CLOSE)), 10, "closed by the server without a code", "--wait")

    def test_11_dropped(self):
        def drop(connection):
            connection.accept()
        self.against(drop, 11, "the connection was lost: .*", "--wait")

        def silent(connection):
            connection.accept()
            while connection.read_frame()[0] is not None:
                pass
        self.against(silent, 11, "the connection was lost: .*")

    def test_12_protocol(self):
        def send(data):
            def script(connection):
                connection.accept()
                connection.send(data)
                connection.read_messages()
            return script
        broken = "the server broke the protocol or a limit: .*"
        self.against(send(frame(TEXT, b"hi", mask=b"mask")), 12, broken, "--wait")
        self.against(send(frame(3)), 12, broken, "--wait")
        self.against(send(frame(TEXT, b"\xff")), 12, broken, "--wait")
        self.against(send(frame(TEXT, b"x" * 2000)), 12, broken, "--wait", "--max-message-size", "1k")

    def test_13_standard_output(self):
        def send(connection):
            connection.accept()
            connection.send(frame(TEXT, b"hello"))
            connection.read_messages()
        with open("/dev/full", "w") as full:
            self.against(send, 13, "standard output: no space left on device", "--wait", stdout=full)
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as nobody:
            self.against(send, 13, "standard output: broken pipe", "--wait", stdout=nobody)

    def test_13_standard_input(self):
        directory = os.open("/", os.O_RDONLY)
        try:
            self.against(collect, 13, "standard input: is a directory", stdin=directory)
        finally:
            os.close(directory)

    def test_13_closed_descriptors(self):
        def send(connection):
            connection.accept()
            connection.send(frame(TEXT, b"hello"))
            return connection.read_messages()
        self.against(collect, 13, "standard input: bad file descriptor", stdin=None, preexec_fn=lambda: os.close(0))
        with Scripted(send) as server:
            self.ends(13, "standard output: bad file descriptor", "--wait", server.url(), stdout=None,
                      preexec_fn=lambda: os.close(1))
            self.assertEqual(server.wait()[0], [struct.pack("!H", 1000)])

    def test_14_input(self):
        with Scripted(collect) as server:
            self.ends(14, "standard input: message 3 is not UTF-8 .*", server.url(), input=b"one\ntwo\n\xff\nfour\n")
            self.assertEqual(server.wait()[0], [b"one", b"two", struct.pack("!H", 1000)])
        self.against(collect, 14, "standard input ends within a message", "--length-prefixed",
                     input=b"\0\0\0\1a\0\0\0\2b")

    def test_signals(self):
        def greet(connection):
            connection.accept()
            connection.send(frame(TEXT, b"open"))
            return connection.read_messages()
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            with Scripted(greet) as server, running("--wait", server.url()) as process:
                self.assertEqual(read_line(process.stdout), b"open\n")
                process.send_signal(number)
                self.assertEqual(process.wait(PATIENCE), 128 + number)
                self.assertRegex(process.stderr.read().decode(), r"\Aswale connect: ended by .*\n\Z")
                self.assertEqual(server.wait(), [[struct.pack("!H", 1000)]])

    def test_a_second_signal_does_not_wait(self):
        closes = []

        def silent(connection):
            connection.accept()
            connection.send(frame(TEXT, b"open"))
            while (opcode := connection.read_frame()[0]) is not None:
                closes.append(opcode)
        with Scripted(silent) as server, running("--wait", server.url()) as process:
            self.assertEqual(read_line(process.stdout), b"open\n")
            process.send_signal(signal.SIGINT)
            until(lambda: closes, PATIENCE, "a close")
            process.send_signal(signal.SIGINT)
            begin = time.monotonic()
            self.assertEqual(process.wait(PATIENCE), 130)
            self.assertLess(time.monotonic() - begin, 2)


class NoNames:
    """A name server that knows no name."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._answer)
        self.thread.start()

    def _answer(self):
        while True:
            query, sender = self.socket.recvfrom(512)
            if not query:
                return
            self.socket.sendto(query[:2] + b"\x81\x83" + query[4:6] + b"\0\0\0\0\0\0" + query[12:], sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


class Piped(Case):
    """The contract of the filter."""

    def test_stays_while_told_to_wait(self):
        go = threading.Event()

        def script(connection):
            connection.accept()
            go.wait(PATIENCE)
            connection.send(frame(TEXT, b"one\ntwo") + frame(TEXT, b"") + frame(TEXT, b"\033[2J"))
            connection.send(close_frame(1001))
            connection.read_frame()
        with Scripted(script) as server, running("--wait", server.url(), stdin=subprocess.DEVNULL) as process:
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(0.3)
            go.set()
            self.assertEqual(process.communicate(timeout=PATIENCE), (b"one\ntwo\n\n\033[2J\n", b""))
            self.assertEqual(process.returncode, 0)

    def test_waits_for_a_time(self):
        with Scripted(echo) as server:
            begin = time.monotonic()
            done = run("--wait=300ms", server.url(), input=b"hello")
            self.assertEqual((done.returncode, done.stdout), (0, b"hello\n"))
            self.assertGreaterEqual(time.monotonic() - begin, 0.3)

    def test_sends_lines_and_closes(self):
        for lines, messages in [(b"", []), (b"one\n\nthree\n", [b"one", b"", b"three"]), (b"no end", [b"no end"]),
                                (b"\n", [b""]), ("ä€𝄞\r\n".encode(), ["ä€𝄞\r".encode()])]:
            with Scripted(collect) as server:
                self.assertEqual(run(server.url(), input=lines).returncode, 0)
                self.assertEqual(server.wait()[0], messages + [struct.pack("!H", 1000)])

    def test_frames_both_ways(self):
        for options, data, messages in [
                (["--null"], b"a\nb\0\0c", [b"a\nb", b"", b"c"]),
                (["-0", "--binary"], b"\xff\n\0", [b"\xff\n"]),
                (["--length-prefixed"], b"\0\0\0\2\n\0\0\0\0\0", [b"\n\0", b""]),
                (["--length-prefixed", "--binary"], b"\0\0\1\0" + bytes(range(256)), [bytes(range(256))])]:
            with Scripted(echo) as server:
                done = run(*options, "--max-messages", str(len(messages)), server.url(), input=data)
                end = b"\0" if "c" in data.decode("latin-1")[-1:] else b""
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, data + end, b""))

    def test_sends_the_kind_that_is_asked_for(self):
        def script(connection):
            connection.accept()
            kinds = [connection.read_frame()[0], connection.read_frame()[0]]
            connection.send(close_frame(1000))
            return kinds
        for options, kind in ([], TEXT), (["--binary"], BINARY):
            with Scripted(script) as server:
                run(*options, "--on-connect", "x", "--wait", server.url(), input=b"y\n")
                self.assertEqual(server.wait()[0], [kind, kind])

    def test_messages_up_to_a_megabyte(self):
        sizes = [125, 126, 65535, 65536, 1 << 20]
        lines = [os.urandom(size // 2).hex().encode().ljust(size, b"x") for size in sizes]
        with Scripted(echo) as server:
            done = run("--max-messages", str(len(sizes)), server.url(), input=b"\n".join(lines))
            self.assertEqual(done.stdout.split(b"\n"), lines + [b""])
        blobs = [os.urandom(size) for size in sizes]
        data = b"".join(struct.pack("!I", len(blob)) + blob for blob in blobs)
        with Scripted(echo) as server:
            done = run("--max-messages", str(len(sizes)), "--length-prefixed", "--binary", server.url(), input=data)
            self.assertEqual((done.returncode, done.stdout == data), (0, True))

    def test_many_messages_in_order(self):
        count = 20000
        data = b"".join(b"%d\n" % n for n in range(count))
        with Program() as server:
            done = run("--max-messages", str(count), f"ws://127.0.0.1:{server.port}/echo", input=data)
            self.assertEqual((done.returncode, done.stdout == data), (0, True))

    def test_reads_no_faster_than_the_server_takes(self):
        go = threading.Event()
        line, count = b"x" * 999 + b"\n", 40000

        def script(connection):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.accept()
            go.wait(PATIENCE)
            return len(connection.read_messages())
        with Scripted(script) as server, running(server.url()) as process:
            written = 0
            while written < count * len(line) and select.select([], [process.stdin], [], 1)[1]:
                written += os.write(process.stdin.fileno(), (line * 4)[written % len(line):][:4000 - written % 1000])
            self.assertLess(written, 20 << 20)
            self.assertLess(self.memory(process), 60 << 20)
            go.set()
            process.stdin.write((line * count)[written:])
            process.stdin.close()
            self.assertEqual(process.wait(PATIENCE), 0)
            self.assertEqual(server.wait(), [count + 1])

    def test_receives_no_faster_than_standard_output_takes(self):
        sent, count, message = [0], 400, frame(TEXT, b"y" * 200000)

        def script(connection):
            connection.accept()
            for _ in range(count):
                connection.send(message)
                sent[0] += 1
            connection.send(close_frame(1000))
            connection.read_frame()
        with Scripted(script) as server, running("--wait", server.url()) as process:
            until(lambda: sent[0] > 0, PATIENCE, "the first message")
            stuck = -1
            while stuck != sent[0]:
                stuck = sent[0]
                time.sleep(0.5)
            self.assertLess(stuck, count // 2)
            self.assertLess(self.memory(process), 60 << 20)
            out, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual((len(out), errors, process.returncode), (count * 200001, b"", 0))

    def test_a_failure_to_write_outweighs_a_clean_close(self):
        """The pipe is small, so that the close has passed while part of the message still waits to be written."""
        def script(connection):
            connection.accept()
            connection.send(frame(TEXT, b"z" * 30000) + close_frame(1000))
            return connection.read_frame()
        reading, writing = os.pipe()
        fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
        with Scripted(script) as server, running("--wait", server.url(), stdout=writing) as process:
            os.close(writing)
            self.assertEqual(server.wait()[0][0], CLOSE)
            os.close(reading)
            self.assertEqual(process.wait(PATIENCE), 13)
            self.assertEqual(process.stderr.read(), b"swale connect: standard output: broken pipe\n")

    def test_hears_the_answers_to_the_last_words(self):
        with Scripted(echo) as server:
            data = b"".join(b"%d\n" % n for n in range(1000))
            self.assertEqual(run(server.url(), input=data).stdout, data)

    def test_standard_output_that_nobody_reads_keeps_nobody(self):
        def flood(connection):
            connection.accept()
            connection.send(frame(TEXT, b"z" * 1000000))
            return connection.read_messages()
        for options, number, status in [(["--timeout", "300ms", "--wait"], None, 9), (["--wait"], signal.SIGTERM, 143)]:
            with Scripted(flood) as server, running(*options, server.url()) as process:
                self.assertTrue(select.select([process.stdout], [], [], PATIENCE)[0])
                if number:
                    process.send_signal(number)
                self.assertEqual(process.wait(PATIENCE), status)
                self.assertEqual(server.wait()[0], [struct.pack("!H", 1000)])

    def memory(self, process):
        with open(f"/proc/{process.pid}/status") as file:
            return int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.M)[1]) << 10

    def test_ends_after_so_many_messages(self):
        def script(connection):
            connection.accept()
            connection.send(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3"))
            return connection.read_messages()
        with Scripted(script) as server:
            done = run("--max-messages", "2", server.url(), stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout), (0, b"1\n2\n"))
            self.assertEqual(server.wait()[0], [struct.pack("!H", 1000)])

    def test_lays_out_json(self):
        def script(connection):
            connection.accept()
            connection.send(frame(TEXT, b'{"n":1.50,"n":12345678901234567890123}') + frame(TEXT, b'{"n":1.50,"a":[]}'))
            connection.send(frame(TEXT, b"{not json") + close_frame(1000))
            connection.read_frame()
        with Scripted(script) as server:
            self.assertEqual(run("--json", "--wait", server.url()).stdout,
                             b'{"n":1.50,"n":12345678901234567890123}\n{\n  "n": 1.50,\n  "a": []\n}\n{not json\n')

    def test_talks_to_another_library(self):
        async def serve(ready, end):
            async def handler(websocket):
                async for message in websocket:
                    await websocket.send(message)
            async with websockets.serve(handler, "127.0.0.1", 0, max_size=None) as server:
                ready.append(server.sockets[0].getsockname()[1])
                await asyncio.get_running_loop().run_in_executor(None, end.wait, PATIENCE)
        ready, end = [], threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(serve(ready, end)))
        thread.start()
        try:
            until(lambda: ready, PATIENCE, "the server")
            data = os.urandom(1 << 19).hex().encode() + b"\n" + b"short\n" * 1000
            for options in [], ["--deflate"], ["--deflate=context"]:
                done = run(*options, "--max-messages", "1001", f"ws://127.0.0.1:{ready[0]}/", input=data)
                self.assertEqual((done.returncode, done.stdout == data, done.stderr), (0, True, b""))
        finally:
            end.set()
            thread.join()


class Request(Case):
    def request(self, *arguments, **options):
        with Scripted(lambda connection: (connection.accept(), connection.read_messages(), connection)[2]) as server:
            self.assertEqual(run(*arguments, server.url("/path?q"), **options).returncode, 0)
            return server.wait()[0]

    def test_fields(self):
        got = self.request("-H", "X-One: 1", "--header=Host: other.example", "--origin", "https://page.example",
                           "-u", "me:se:cret")
        self.assertTrue(got.head.startswith(b"GET /path?q HTTP/1.1\r\n"))
        self.assertEqual(got.fields["x-one"], "1")
        self.assertEqual(got.fields["host"], "other.example")
        self.assertEqual(got.fields["origin"], "https://page.example")
        self.assertEqual(got.fields["authorization"], "Basic " + base64.b64encode(b"me:se:cret").decode())
        self.assertNotIn("sec-websocket-extensions", got.fields)

    def test_deflate(self):
        self.assertIn("permessage-deflate", self.request("--deflate").fields["sec-websocket-extensions"])

    def test_subprotocol(self):
        def script(connection):
            connection.accept("Sec-WebSocket-Protocol: two")
            connection.read_messages()
            return connection.fields["sec-websocket-protocol"]
        with Scripted(script) as server:
            self.assertEqual(run("-s", "one", "--subprotocol", "two", server.url()).returncode, 0)
            self.assertEqual(server.wait(), ["one, two"])

    def test_connect_to(self):
        with Scripted(lambda connection: (collect(connection), connection.fields["host"])[1]) as server:
            done = run("--connect-to", f"127.0.0.1:{server.port}", "ws://elsewhere.example/")
            self.assertEqual((done.returncode, server.wait()), (0, ["elsewhere.example"]))

    def test_bare_host(self):
        with Scripted(collect) as server:
            self.assertEqual(run(f"127.0.0.1:{server.port}").returncode, 0)

    def test_unix(self):
        with tempfile.TemporaryDirectory() as directory:
            path = directory + "/socket"
            with Program("--listen", "unix:" + path) as server:
                until(lambda: path in server.text(), PATIENCE, "the socket in the file system")
                done = run("--max-messages", "1", f"ws+unix:{path}:/echo", input=b"hi")
                self.assertEqual((done.returncode, done.stdout), (0, b"hi\n"))

    def test_redirects(self):
        def script(connection):
            if b"GET /there " in connection.head:
                return collect(connection)
            return connection.answer("302 Found", b"", "Location: /there")
        with Scripted(script) as server:
            self.ends(7, "refused with 302 Found, which leads to /there.*", server.url())
            self.assertEqual(run("--follow-redirects", "1", server.url()).returncode, 0)

    def test_proxy(self):
        with Program() as server, Scripted(self.tunnel) as proxy:
            url = f"ws://127.0.0.1:{server.port}/echo"
            for options, environment in [(["-x", proxy.url(scheme="http")], {}),
                                         ([], {"http_proxy": proxy.url(scheme="http")})]:
                done = run(*options, "--max-messages", "1", url, input=b"hi", environment=environment)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"hi\n", b""))
            self.assertEqual(len(proxy.connections), 2)
            run("-x", "none", url, environment={"http_proxy": proxy.url(scheme="http")})
            run(url, environment={"http_proxy": proxy.url(scheme="http"), "no_proxy": "127.0.0.1"})
            self.assertEqual(len(proxy.connections), 2)

    def tunnel(self, connection):
        host, _, port = connection.head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            connection.answer("200 OK")
            while True:
                for sock in select.select([connection.sock, server], [], [], PATIENCE)[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    (server if sock is connection.sock else connection.sock).sendall(data)


class Tls(Case):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.other = Certificate()
        cls.server = Program(tls=cls.certificate)
        cls.url = f"wss://localhost:{cls.server.port}/echo"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def pin(self):
        key = subprocess.run(["openssl", "pkey", "-in", self.certificate.key, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        return "sha256/" + base64.b64encode(hashlib.sha256(key).digest()).decode()

    def test_verifies(self):
        self.ends(6, "TLS with localhost: .*self-signed.*", self.url)
        self.ends(6, "TLS with .*", "--cacert", self.other.certificate, self.url)
        done = run("--cacert", self.certificate.certificate, "--max-messages", "1", self.url, input=b"hi")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"hi\n", b""))

    def test_a_directory_of_authorities(self):
        named = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", self.certificate.certificate], check=True,
                               capture_output=True, text=True).stdout.strip()
        with tempfile.TemporaryDirectory() as directory:
            self.ends(6, "TLS with localhost: .*", "--cacert", directory, self.url)
            os.symlink(self.certificate.certificate, os.path.join(directory, named + ".0"))
            self.assertEqual(run("--cacert", directory, self.url).returncode, 0)

    def test_pins(self):
        trust = "--cacert", self.certificate.certificate
        self.assertEqual(run(*trust, "--pin", self.pin(), self.url).returncode, 0)
        self.ends(6, "TLS with .*", *trust, "--pin", "sha256/" + base64.b64encode(bytes(32)).decode(), self.url)
        self.ends(2, ".*pin.*", *trust, "--pin", "sha256/short", self.url)

    def test_insecure_is_loud(self):
        for options in [], ["--quiet"]:
            done = run("-k", *options, self.url)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr.decode(), r"\Aswale connect: WARNING: --insecure: .*\n\Z")

    def test_client_certificate(self):
        with Program("--tls-client-ca", self.other.certificate, tls=self.certificate) as server:
            url = f"wss://localhost:{server.port}/echo"
            trust = "--cacert", self.certificate.certificate
            self.assertEqual(run(*trust, "--cert", self.other.certificate, "--key", self.other.key, url).returncode, 0)
            self.assertIn(run(*trust, url).returncode, (6, 8))
            both = os.path.join(self.other.directory.name, "both.pem")
            with open(both, "w") as file:
                for path in self.other.certificate, self.other.key:
                    with open(path) as part:
                        file.write(part.read())
            self.assertEqual(run(*trust, "--cert", both, url).returncode, 0)


class Shown(Case):
    def test_verbose(self):
        with Scripted(echo) as server:
            done = run("-v", "-u", "me:secret", "--max-messages", "1", server.url("/x"), input=b"hello")
            lines = done.stderr.decode().splitlines()
            self.assertEqual(done.stdout, b"hello\n")
            for line in ("> GET /x HTTP/1.1", "> Authorization: Basic (hidden)", "> ", "< HTTP/1.1 101 Switching Protocols",
                         "< Upgrade: websocket", f"* trying 127.0.0.1:{server.port}"):
                self.assertIn(line, lines)
            frames = [re.sub(r"\d+\.\d{3} s", "T", line) for line in lines if " s: " in line]
            self.assertEqual(frames, ["> T: text, fin, masked, 5 bytes", "< T: text, fin, 5 bytes",
                                      "> T: close, fin, masked, 2 bytes", "< T: close, fin, 2 bytes"])

    def test_control(self):
        def script(connection):
            connection.accept()
            connection.send(frame(PING, b"are\033 you") + frame(PONG) + close_frame(1001, b"by\033e"))
            return [connection.read_frame()[0], connection.read_frame()[0]]
        with Scripted(script) as server:
            done = run("--show-control", "--wait", server.url())
            self.assertEqual(done.stderr.decode().splitlines(),
                             ['ping "are\\x1b you"', "pong", "swale connect: closed by the server with 1001: by\\x1be"])
            self.assertEqual((done.returncode, done.stdout, server.wait()), (0, b"", [[PONG, CLOSE]]))
        with Scripted(script) as server:
            self.assertEqual(run("--wait", server.url()).stderr, b"")

    def test_ping_interval(self):
        def script(connection):
            connection.accept()
            opcode, payload = connection.read_frame()
            connection.send(frame(PONG, payload) + close_frame(1000))
            connection.read_frame()
            return opcode
        with Scripted(script) as server:
            done = run("--ping-interval", "100ms", "--show-control", "--wait", server.url())
            self.assertEqual((done.returncode, server.wait()), (0, [PING]))
            self.assertTrue(done.stderr.startswith(b"pong"))

    def test_terminals_get_no_control_bytes(self):
        def script(connection):
            connection.accept()
            connection.send(frame(TEXT, b"a\033[2J\x07\xc2\x9b\tb\nc") + frame(BINARY, b"\033]") + close_frame(1000))
            connection.read_frame()
        for options, wanted in [([], b"a\\x1b[2J\\x07\\u009b\tb\r\nc\r\n0000  1b 5d"), (["--raw"], b"a\033[2J\x07")]:
            master, slave = os.openpty()
            with Scripted(script) as server:
                done = run("--wait", *options, server.url(), stdout=slave, stdin=subprocess.DEVNULL)
                os.close(slave)
                shown = b""
                with contextlib.suppress(OSError):
                    while data := os.read(master, 65536):
                        shown += data
                os.close(master)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertTrue(shown.startswith(wanted), shown)
                self.assertEqual(b"\033" in shown, bool(options))

    def test_length_prefixed_is_nothing_for_a_terminal(self):
        master, slave = os.openpty()
        self.ends(2, "--length-prefixed writes what a terminal cannot show: .*", "--length-prefixed", "ws://127.0.0.1:1/",
                  stdout=slave)
        os.close(master)
        os.close(slave)


class Reconnecting(Case):
    def test_comes_back_and_says_so(self):
        def drop(connection):
            connection.accept()
            return connection.read_frame()

        def stay(connection):
            connection.accept()
            first = connection.read_frame()
            connection.send(frame(TEXT, b"again"))
            connection.send(close_frame(1000))
            connection.read_frame()
            return first
        first = Scripted(drop)
        with running("--reconnect", "--wait", "--on-connect", "subscribe", first.url()) as process:
            self.assertEqual(first.wait(), [(TEXT, b"subscribe")])
            port = first.port
            first.close()
            self.assertEqual(read_line(process.stderr), b"swale connect: connected\n")
            self.assertRegex(read_line(process.stderr), rb"the connection was lost: .*; trying again in \d+\.\d s\n")
            with Scripted(stay, port=port) as second:
                out, errors = process.communicate(timeout=PATIENCE)
                self.assertEqual((out, process.returncode), (b"again\n", 0))
                self.assertRegex(errors.decode(), r"connected again after \d+\.\d s\n\Z")
                self.assertEqual(second.wait(), [(TEXT, b"subscribe")])

    def test_waits_for_a_server(self):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
        with running("--reconnect", f"ws://127.0.0.1:{port}/") as process:
            process.stdin.write(b"kept\n")
            process.stdin.close()
            process.stdin = None
            self.assertRegex(read_line(process.stderr), rb"refused; trying again in")
            with Scripted(collect, port=port) as server:
                self.assertEqual(process.wait(PATIENCE), 0)
                self.assertEqual(server.wait()[0][0], b"kept")

    def test_what_waited_goes_behind_on_connect(self):
        """The first connection takes nothing, so that most of the input waits for the second one."""
        def stall(connection):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.accept()
            go.wait(PATIENCE)
        go = threading.Event()
        lines = [b"%07d" % n + b"x" * 60000 for n in range(400)]
        first = Scripted(stall)
        with running("--reconnect", "--on-connect", "subscribe", first.url(), stderr=subprocess.DEVNULL) as process:
            feeder = threading.Thread(target=process.communicate, args=(b"\n".join(lines),))
            feeder.start()
            try:
                until(lambda: first.connections, PATIENCE, "a connection")
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(0.3)
            finally:
                go.set()
                port = first.port
                first.close()
            with Scripted(collect, port=port) as second:
                got = second.wait()[0]
            feeder.join(PATIENCE)
            self.assertEqual((process.returncode, got[0], got[-2]), (0, b"subscribe", lines[-1]))
            numbers = [int(message[:7]) for message in got[1:-1]]
            self.assertEqual(numbers, list(range(numbers[0], len(lines))))

    def test_quiet(self):
        with Scripted(lambda connection: (connection.accept(), connection.send(close_frame(1000)),
                                          connection.read_frame())) as server:
            done = run("--reconnect", "--quiet", "--wait", server.url())
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_exit_on_close(self):
        def restart(connection):
            connection.accept()
            connection.send(close_frame(1012, b"restart"))
            connection.read_frame()
        with Scripted(restart) as server:
            done = run("--reconnect", "--exit-on-close", "--wait", server.url())
            self.assertEqual(done.returncode, 10)
            self.assertTrue(done.stderr.endswith(b"swale connect: closed by the server with 1012: restart\n"))
            with running("--reconnect", "--wait", server.url()) as process:
                self.assertEqual(read_line(process.stderr), b"swale connect: connected\n")
                self.assertRegex(read_line(process.stderr), rb"1012: restart; trying again in")

    def test_gives_up_where_nothing_will_change(self):
        with Scripted(lambda connection: connection.answer("403 No")) as server:
            self.ends(7, "refused with 403 No", "--reconnect", "--wait", server.url())


class Check(Case):
    def check(self, script, *arguments, **options):
        with Scripted(script, **options) as server:
            return self.checked(*arguments, server.url())

    def checked(self, *arguments):
        done = run("--check", *arguments)
        self.assertEqual(done.stderr, b"")
        self.assertNotIn(b"\033", done.stdout)
        return done.returncode, done.stdout.decode()

    def test_a_good_server(self):
        with Program("--deflate") as server:
            status, text = self.checked("-s", "chat", f"ws://127.0.0.1:{server.port}/echo")
        self.assertEqual(status, 0)
        for words in ("ok       connected to 127.0.0.1 port", "ok       answers 101", "ok       chose the subprotocol chat",
                      "ok       compresses: permessage-deflate", "ok       answers a ping", "ok       closes cleanly",
                      "ok       refuses pages of a foreign origin", "\nNothing is wrong.\n"):
            self.assertIn(words, text)

    def test_any_origin(self):
        status, text = self.check(echo)
        self.assertEqual(status, 0)
        self.assertIn("warning  lets in pages of any origin", text)
        self.assertIn("\nNothing is wrong; 1 to think about.\n", text)

    def test_an_ordinary_page(self):
        status, text = self.check(lambda connection: connection.answer("200 OK", b"<html>", "Content-Type: text/html",
                                                                       "Server: nginx/1.22.1\x9b"))
        self.assertEqual(status, 1)
        self.assertTrue(text.startswith("wrong    refused with 200 OK\n         This is an ordinary page"), text)
        self.assertIn("proxy_set_header Upgrade $http_upgrade", text)
        self.assertIn('"Server: nginx/1.22.1\\x9b"', text)

    def test_no_pong(self):
        def script(connection):
            connection.accept()
            while True:
                opcode, payload = connection.read_frame()
                if opcode == CLOSE:
                    return connection.send(frame(CLOSE, payload))
        status, text = self.check(script)
        self.assertEqual(status, 1)
        self.assertIn("wrong    does not answer a ping within 3 s", text)
        self.assertIn("ok       closes cleanly", text)

    def test_wrong_pong_and_no_close(self):
        def script(connection):
            connection.accept()
            while (opcode := connection.read_frame()[0]) is not None:
                if opcode == PING:
                    connection.send(frame(PONG, b"other"))
        status, text = self.check(script)
        self.assertEqual(status, 1)
        self.assertIn("wrong    answers a ping with another payload", text)
        self.assertIn("wrong    does not answer a close", text)

    def test_faults_of_the_handshake(self):
        def wrong_accept(connection):
            connection.fields["sec-websocket-key"] = "x"
            connection.accept()
        status, text = self.check(wrong_accept)
        self.assertEqual(status, 1)
        self.assertIn("made of the key that was sent", text)

    def test_a_talkative_server(self):
        """It says who it is, speaks first, answers a ping twice, and a close with what it likes."""
        def script(connection):
            connection.accept("Server: Chatter/1\x9b")
            connection.send(frame(TEXT, b"hello") + frame(BINARY, b"there"))
            while (opcode := connection.read_frame()[0]) is not None:
                if opcode == PING:
                    connection.send(2 * frame(PONG, b"swale-check"))
                elif opcode == CLOSE:
                    return connection.send(close_frame(1001))
        status, text = self.check(script)
        self.assertEqual(status, 0)
        for words in ("ok       says that it is Chatter/1\\x9b", "ok       sends by itself: 2 messages so far",
                      "warning  answers a close of 1000 with 1001"):
            self.assertIn(words, text)
        self.assertEqual(text.count("answers a ping"), 1)

    def test_refuses_foreign_pages_by_401(self):
        def script(connection):
            if "origin" in connection.fields:
                return connection.answer("401 Unauthorized")
            return echo(connection)
        status, text = self.check(script)
        self.assertEqual(status, 0)
        self.assertIn("ok       refuses pages of a foreign origin", text)

    def test_within_a_machine(self):
        with tempfile.TemporaryDirectory() as directory, Program("--listen", f"unix:{directory}/socket"):
            status, text = self.checked(f"ws+unix:{directory}/socket:/echo")
        self.assertEqual(status, 0)
        self.assertIn("ok       no TLS, which nobody needs within a machine", text)

    def test_unverified_on_demand(self):
        certificate = Certificate()
        with Program(tls=certificate) as server:
            done = run("--check", "--insecure", f"wss://localhost:{server.port}/echo")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"\nwarning  the certificate was not verified; anybody can have made it\n", done.stdout)

    def test_closes_at_once(self):
        def script(connection):
            connection.accept()
            connection.send(close_frame(1008, b"token?"))
            connection.read_frame()
        status, text = self.check(script)
        self.assertEqual(status, 0)
        self.assertIn("warning  at once closed by the server with 1008: token?", text)

    def test_breaks_the_protocol(self):
        def script(connection):
            connection.accept()
            connection.send(frame(TEXT, b"hi", mask=b"mask"))
            connection.read_messages()
        status, text = self.check(script)
        self.assertEqual(status, 1)
        self.assertIn("wrong    the server broke the protocol", text)

    def test_no_subprotocol(self):
        self.assertIn("warning  chose none of the subprotocols", self.check(echo, "-s", "chat")[1])

    def test_untrusted(self):
        certificate = Certificate()
        with Program(tls=certificate) as server:
            status, text = self.checked(f"wss://localhost:{server.port}/echo")
            self.assertEqual(status, 1)
            self.assertIn("Nobody vouches for the certificate but itself", text)
            self.assertIn("Going on without verification", text)
            self.assertRegex(text, "ok       TLSv1.3 with TLS_")
            self.assertIn("ok       answers a ping", text)
            status, text = self.checked("--cacert", certificate.certificate, f"wss://localhost:{server.port}/echo")
            self.assertEqual(status, 0)
            self.assertIn("ok       the certificate is trusted, and for this name: CN=localhost", text)

    def test_the_way(self):
        """A name with two addresses, of which one answers; and a redirect."""
        def script(connection):
            if b"GET /there " in connection.head:
                return echo(connection)
            return connection.answer("307 Moved", b"", "Location: /there")
        with Scripted(script) as server:
            status, text = self.checked("--follow-redirects", "1", f"ws://localhost:{server.port}/")
        self.assertEqual(status, 0)
        self.assertIn("ok       redirected to ", text)
        self.assertRegex(text, r"ok       connected to 127\.0\.0\.1 port \d+")
        self.assertRegex(text, r"ok       has another address: connect to \[::1\]:\d+: ")

    def test_nothing_there(self):
        status, text = self.checked("ws://127.0.0.1:1/")
        self.assertEqual(status, 1)
        self.assertIn("nothing listens on this port", text)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
