"""proxy_test.py - nginx and haproxy in front of `swale serve --demo`, configured as docs/howto/reverse-proxy.md says.

The configurations are those of the page; only where things are, and how long the timeouts take, is replaced. Proxies listen on
unix sockets, since they cannot tell which port the kernel chose."""

import asyncio
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import unittest

import websockets

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from program import Certificate, Program, slack, until  # noqa: E402

PAGE = os.path.join(HERE, "..", "..", "docs", "howto", "reverse-proxy.md")
TIMEOUT_MS = slack(400)
PING_MS = slack(100)


def from_page(language, replacements):
    """The page's configuration in that language, with other places and times. Each must be there."""
    with open(PAGE) as page:
        text = re.search(rf"^```{language}\n(.*?)^```$", page.read(), re.M | re.S)[1]
    for old, new in replacements.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


class Proxy:
    """A proxy of which `front` is the socket. It ends with the test."""

    def __init__(self, directory, command):
        self.front = os.path.join(directory, "front")
        self.log = open(os.path.join(directory, "log"), "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until(lambda: os.path.exists(self.front) or self.process.poll() is not None, slack(5), "the proxy's socket")
        assert self.process.poll() is None, self.text()

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def nginx(directory, servers, certificate):
    own = from_page("nginx", {
        "server unix:/run/swale/socket;": "".join(f"server unix:{server}; " for server in servers),
        "listen 443 ssl;": f"listen unix:{directory}/front ssl;",
        "/etc/ssl/live/fullchain.pem": certificate.certificate,
        "/etc/ssl/live/privkey.pem": certificate.key,
        "proxy_read_timeout 90s;": f"proxy_read_timeout {TIMEOUT_MS}ms;",
    })
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration = f"{directory}/nginx.conf"
    with open(configuration, "w") as file:
        file.write(f"daemon off; master_process off; pid {directory}/pid; error_log stderr;\n"
                   f"events {{ }}\nhttp {{\naccess_log off;\n{temporary}{own}}}\n")
    return Proxy(directory, ["/usr/sbin/nginx", "-e", "stderr", "-p", directory, "-c", configuration])


def haproxy(directory, servers, certificate):
    chain = f"{directory}/live.pem"
    with open(chain, "w") as file:
        for part in (certificate.certificate, certificate.key):
            with open(part) as source:
                file.write(source.read())
    own = from_page("haproxy", {
        "server swale1 127.0.0.1:8080 check": "\n".join(
            f"    server swale{n} unix@{server} check" for n, server in enumerate(servers)).strip(),
        "bind :443 ssl crt /etc/haproxy/live.pem": f"bind unix@{directory}/front ssl crt {chain}",
        "timeout client  60s": f"timeout client {TIMEOUT_MS}ms",
        "timeout server  60s": f"timeout server {TIMEOUT_MS}ms",
        "timeout tunnel  90s": f"timeout tunnel {TIMEOUT_MS}ms",
    })
    configuration = f"{directory}/haproxy.cfg"
    with open(configuration, "w") as file:
        file.write(own)
    return Proxy(directory, ["/usr/sbin/haproxy", "-db", "-f", configuration])


class Cases:
    """What holds behind either proxy."""

    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        self.addCleanup(directory.cleanup)
        self.programs, sockets = [], []
        for name in ("one", "two"):
            sockets.append(os.path.join(directory.name, name))
            program = Program("--listen", f"unix:{sockets[-1]}", "--ping", f"{PING_MS}ms", "--max-connections-per-address", "2")
            self.addCleanup(program.kill)
            self.programs.append(program)
        self.proxy = self.start(directory.name, sockets, self.certificate)
        self.addCleanup(self.proxy.end)

    def tearDown(self):
        for program in self.programs:
            program.stop()

    def connect(self, host="localhost", **options):
        return websockets.unix_connect(self.proxy.front, f"wss://{host}/echo", ssl=self.certificate.context(),
                                       server_hostname="localhost", **options)

    async def test_it_echoes(self):
        async with self.connect() as peer:
            for message in ("hello", "", "ünïcode", b"\x00\xff", "x" * 200_000):
                await peer.send(message)
                self.assertEqual(await peer.recv(), message)
            await (await peer.ping(b"are you there"))
            await peer.close(4001, "enough")
            self.assertEqual(peer.close_code, 4001)

    async def test_pages_come_over_kept_connections(self):
        reader, writer = await asyncio.open_unix_connection(self.proxy.front, ssl=self.certificate.context(),
                                                            server_hostname="localhost")
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
        writer.close()
        await writer.wait_closed()

    async def test_the_origin_is_compared_with_the_host_that_the_browser_asked(self):
        for host in ("localhost", "localhost:8443"):
            async with self.connect(host, origin=f"https://{host}"):
                pass
        for host, origin in (("localhost", "https://evil.example"), ("localhost:8443", "https://localhost:9443")):
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await self.connect(host, origin=origin)
            self.assertEqual(refused.exception.status_code, 403)

    async def test_the_heartbeat_keeps_the_proxy_from_cutting(self):
        async with self.connect(ping_interval=None) as peer:
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(peer.recv(), 1.5 * TIMEOUT_MS / 1000)
            await peer.send("still here")
            self.assertEqual(await peer.recv(), "still here")

    async def test_more_than_one_address_may_have(self):
        peers = [await self.connect() for _ in range(8)]
        for peer in peers:
            await peer.close()

    async def test_drain_moves_clients_to_the_next_server(self):
        peers = [await self.connect() for _ in range(4)]
        self.programs[0].signal(signal.SIGTERM)
        await asyncio.to_thread(self.programs[0].wait, slack(10))
        moved = []
        for peer in peers:
            try:
                await peer.send("who is there")
                await peer.recv()
            except websockets.ConnectionClosed:
                self.assertEqual(peer.close_code, 1001)
                moved.append(await self.connect())
        self.assertEqual(len(moved), 2)
        for peer in moved + [await self.connect() for _ in range(4)]:
            await peer.send("here again")
            self.assertEqual(await peer.recv(), "here again")
            await peer.close()


class Nginx(Cases, unittest.IsolatedAsyncioTestCase):
    start = staticmethod(nginx)


class Haproxy(Cases, unittest.IsolatedAsyncioTestCase):
    start = staticmethod(haproxy)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
