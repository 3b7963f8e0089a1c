"""client_proxy_test.py CLIENT - the client library through proxies that we did not write: forward ones, which it asks
for a tunnel (tinyproxy, squid, microsocks, dante), and reverse ones, which stand before the server (nginx, haproxy)."""

import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import Peer, take_steps  # noqa: E402
from program import SANITIZER_OPTIONS, Certificate, slack  # noqa: E402
from proxies import Proxy, free_port, haproxy, nginx, read, write  # noqa: E402

STEPS = ("open", "say:hello", "text:65537", "binary:1048576", "burst:200", "parts:70000", "fragments", "ping", "pinged")
CLOSING = ("close:4000:bye", "end")


# ---- Forward proxies

def tinyproxy(port, directory):
    return ["tinyproxy", "-d", "-c", write(directory, "tinyproxy.conf", f"""
        Port {port}
        Listen 127.0.0.1
        BasicAuth user pass.word
        MaxClients 20
        Timeout 60
        """)]


def squid(port, directory):
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "p@ss:word"], check=True, capture_output=True, text=True)
    users = write(directory, "users", f"user:{hashed.stdout}")
    os.chmod(directory, 0o777)
    return ["/usr/sbin/squid", "-N", "-f", write(directory, "squid.conf", f"""
        http_port 127.0.0.1:{port}
        auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}
        auth_param basic children 1
        acl known proxy_auth REQUIRED
        http_access allow known
        http_access deny all
        pid_filename {directory}/pid
        cache_log {directory}/cache.log
        access_log none
        coredump_dir {directory}
        cache deny all
        pinger_enable off
        shutdown_lifetime 1 seconds
        visible_hostname squid.test
        """)]


def microsocks(port, directory):
    return ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-u", "user", "-P", "p@ss:word"]


def dante(port, directory):
    """Without a login, since it knows only users of the machine; and with a port to which it lets nobody."""
    return ["/usr/sbin/danted", "-f", write(directory, "danted.conf", f"""
        logoutput: stderr
        internal: 127.0.0.1 port = {port}
        external: 127.0.0.1
        clientmethod: none
        socksmethod: none
        client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
        socks block {{ from: 0.0.0.0/0 to: 0.0.0.0/0 port = 9 }}
        socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
        """)]


class Forward:
    client = None
    scheme = "http"
    login = "user:p%40ss%3Aword@"

    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.peer = cls.lasting(Peer("websockets"))
        cls.secure = cls.lasting(Peer("websockets", cls.certificate))
        cls.proxy = cls.lasting(Proxy(cls.command))

    @classmethod
    def lasting(cls, what):
        cls.addClassCleanup(what.end)
        return what

    def url(self, login=None):
        return f"{self.scheme}://{self.login if login is None else login}127.0.0.1:{self.proxy.port}"

    def steps(self, url, *steps, proxy=None, options=(), **others):
        take_steps(self.client, url, *steps, options=["--proxy", proxy or self.url(), *options], **others)

    def test_through(self):
        self.steps(self.peer.url(), *STEPS, *CLOSING)
        self.peer.saw_close(4000, "bye")

    def test_through_to_tls(self):
        url = self.secure.url().replace("127.0.0.1", "localhost")  # which the proxy resolves
        self.steps(url, *STEPS, *CLOSING, options=["--ca", self.certificate.certificate])

    def test_from_the_environment(self):
        take_steps(self.client, self.peer.url(), "open", "say:hello", *CLOSING, options=["--environment"],
                   environment={"http_proxy": self.url(), "no_proxy": ""})
        nowhere = f"http://127.0.0.1:{free_port()}"
        take_steps(self.client, self.peer.url(), "open", "say:hello", *CLOSING, options=["--environment"],
                   environment={"all_proxy": nowhere, "no_proxy": "example.com, 127.0.0.0/8"})

    def test_the_server_is_killed(self):
        self.steps(self.peer.url(), "open", "killed", "open", "text:65537", *CLOSING, peer=self.peer)

    def test_the_proxy_is_killed(self):
        self.steps(self.peer.url(), "open", "killed", "open", "text:65537", *CLOSING, peer=self.proxy)

    def test_nobody_is_there(self):
        self.steps(f"ws://127.0.0.1:{free_port()}", "fail:proxy-refused", "end", options=["--once"])

    def test_other_logins(self):
        if not self.login:
            self.skipTest("it asks for none")
        for login in ("", "user:wrong@", self.login.replace("user", "other")):
            self.steps(self.peer.url(), "fail:proxy-login", "end", options=["--once"], proxy=self.url(login))


    def connect(self, proxy, url, *options):
        """What `swale connect` comes to with one line of input, and what it prints."""
        command = [os.environ["SWALE_PROGRAM"], "connect", "--cacert", self.certificate.certificate, "-x", proxy,
                   *options, url]
        done = subprocess.run(command, input=b"hello\n", capture_output=True, timeout=slack(60),
                              env={**SANITIZER_OPTIONS, **os.environ})
        self.assertEqual(done.stderr.count(b"\n"), int(done.returncode != 0), done.stderr)
        return done.returncode, done.stdout

    def test_the_program(self):
        for url in (self.peer.url(), self.secure.url()):
            self.assertEqual(self.connect(self.url(), url, "--max-messages", "1"), (0, b"hello\n"))
        nowhere = f"ws://127.0.0.1:{free_port()}"
        self.assertEqual(self.connect(self.url(), nowhere), (5, b""))
        self.assertEqual(self.connect(f"{self.scheme}://{self.login}127.0.0.1:{free_port()}", nowhere), (4, b""))

    def test_our_own_resolver_does_not_hear_the_name(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
            resolver.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % resolver.getsockname()[1]
            options = ("--connect-timeout", f"{slack(500)}ms", "--dns-servers", address)
            status, _ = self.connect(self.url(), "ws://nobody.example/", *options)
            self.assertIn(status, (5, 9))  # some proxies take their time
            with self.assertRaises(BlockingIOError):
                resolver.recv(512, socket.MSG_DONTWAIT)
            self.connect("none", "ws://nobody.example/", *options)
            self.assertIn(b"nobody", resolver.recv(512, socket.MSG_DONTWAIT))


class Tinyproxy(Forward, unittest.TestCase):
    command = staticmethod(tinyproxy)
    login = "user:%70ass.word@"  # its configuration takes no other signs


class TinyproxyBehindTls(Tinyproxy):
    """The proxy itself is spoken to in TLS."""

    scheme = "https"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        plain = cls.proxy.port
        cls.proxy = cls.lasting(Proxy(lambda *place: haproxy(*place, plain, cls.certificate, mode="tcp")))

    def steps(self, url, *steps, options=(), **others):
        super().steps(url, *steps, options=["--ca", self.certificate.certificate, *options], **others)

    test_from_the_environment = None  # which does not name whom to trust


class Squid(Forward, unittest.TestCase):
    command = staticmethod(squid)


class Microsocks(Forward, unittest.TestCase):
    command = staticmethod(microsocks)
    scheme = "socks5"


class Dante(Forward, unittest.TestCase):
    command = staticmethod(dante)
    scheme = "socks5h"
    login = ""

    def test_it_lets_nobody_there(self):
        self.steps("ws://localhost:9/", "fail:proxy-refused", "end", options=["--once"])


# ---- Reverse proxies

class Reverse:
    client = None

    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.peer = Peer("ws")
        cls.addClassCleanup(cls.peer.end)
        cls.proxy = Proxy(lambda *place: cls.command(*place, cls.peer.port, cls.certificate))
        cls.addClassCleanup(cls.proxy.end)

    def steps(self, *steps, options=(), **others):
        take_steps(self.client, f"wss://localhost:{self.proxy.port}/", *steps,
                   options=["--ca", self.certificate.certificate, *options], **others)

    def test_behind(self):
        self.steps("open", "deflate:no", *STEPS[1:], *CLOSING)
        self.peer.saw_close(4000, "bye")

    def test_deflate_and_subprotocol(self):
        self.steps("open", "deflate:yes", "subprotocol:second", *STEPS[1:], "squeezed:65537", *CLOSING,
                   options=["--deflate", "--subprotocol", "second"])

    def test_the_peer_closes(self):
        self.steps("open", "closed:4001:again", "open", "closed:1000:enough", "end")

    def test_the_server_is_killed(self):
        """Meanwhile the proxy answers with 502 or 503, which is no reason to stay away."""
        self.steps("open", "killed", "open", "text:65537", *CLOSING, peer=self.peer)

    def test_the_proxy_is_killed(self):
        self.steps("open", "killed", "open", "text:65537", *CLOSING, peer=self.proxy)


class Nginx(Reverse, unittest.TestCase):
    command = staticmethod(nginx)


class Haproxy(Reverse, unittest.TestCase):
    command = staticmethod(haproxy)


if __name__ == "__main__":
    Forward.client = Reverse.client = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
