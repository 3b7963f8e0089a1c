"""matrix_test.py CLIENT SYSTEM RESULTS - one of systems.py as a client of our server, and as a server to our client;
plain, TLS, and with deflate. What came out goes to RESULTS/SYSTEM.json, of which table.py makes docs/interop.md."""

import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import Peer, Transports, take_steps  # noqa: E402
from program import Certificate, Program, slack, until  # noqa: E402
from proxies import Proxy  # noqa: E402
from systems import SYSTEMS  # noqa: E402

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
ECHOES = [f"{kind}:{size}" for size in SIZES for kind in ("text", "binary")]
client = name = system = None
# What has come out right, and what the other side has not: see results().
passed = {"client": {}, "server": {}}


def run(command, *arguments):
    """What a client says, which must come to its end."""
    done = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=slack(60))
    assert done.returncode == 0, f"{command} {arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout.splitlines()


class Matrix(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()

    def before(self, port, tls):
        """The port to which the client shall go: a proxy's, if the system is one, before the server's."""
        if not system.proxy:
            return port
        proxy = Proxy(lambda *place: system.proxy(*place, port, tls, tls and tls.certificate))
        self.addCleanup(proxy.end)
        return proxy.port

    def as_client(self, tls):
        trusted = [tls.certificate] if tls else []
        deflate = ["--deflate=context", "--compress-threshold", "16"]
        for offer, options in (("plain", []), ("deflate", deflate)):
            agreed = offer if "deflate" in system.client_can else "plain"
            with Transports(tls) if system.gateway else Program(*options, tls=tls) as server:
                url = f"{'wss' if tls else 'ws'}://localhost:{self.before(server.port, tls)}{system.client_path}"
                self.assertEqual(run(system.client, url, offer, *trusted), [f"agreed {agreed}", system.client_tells])
                until(lambda: server.counted("peer-closed") == 1, slack(10), "the closing handshake")
        passed["client"]["TLS" if tls else "plain"] = True
        passed["client"]["deflate"] = "deflate" in system.client_can

    def as_server(self, tls):
        peer = Peer(system.server, tls)
        self.addCleanup(peer.end)
        url = f"{peer.scheme}://127.0.0.1:{self.before(peer.port, tls)}{system.server_path}"
        deflate = "yes" if "deflate" in system.server_can else "no"
        trust = ["--ca", tls.certificate] if tls else []
        for agreed, options in (("no", []), (deflate, ["--deflate", "--context"])):
            def steps(*those):
                take_steps(client, url, *those, options=[*trust, *options])

            if system.server_steps:
                steps("open", f"deflate:{agreed}", *system.server_steps)
            else:
                steps("open", f"deflate:{agreed}", *ECHOES, "burst:100", "parts:70000", "ping", "close:4000:bye", "end")
                steps("open", "say:hello", "closed:4001:again", "open", "closed:1000:bye", "end")
                peer.saw_close(4000, "bye")
        passed["server"]["TLS" if tls else "plain"] = True
        passed["server"]["deflate"] = deflate == "yes"

    def test_as_client(self):
        if not system.client:
            self.skipTest("it has none")
        self.as_client(None)

    def test_as_client_with_tls(self):
        if not system.client:
            self.skipTest("it has none")
        self.as_client(self.certificate)

    def test_as_server(self):
        if not system.server:
            self.skipTest("it has none")
        self.as_server(None)

    def test_as_server_with_tls(self):
        if not system.server:
            self.skipTest("it has none")
        self.as_server(self.certificate)


if __name__ == "__main__":
    client, name, results = sys.argv[1:4]
    system = SYSTEMS[name]
    end = unittest.main(argv=[sys.argv[0], *sys.argv[4:]], exit=False, warnings="ignore")
    if end.result.wasSuccessful():
        os.makedirs(results, exist_ok=True)
        with open(os.path.join(results, name + ".json"), "w") as file:
            json.dump({"title": system.title, "version": system.version(), "notes": system.notes, **passed}, file)
    sys.exit(not end.result.wasSuccessful())
