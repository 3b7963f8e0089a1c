"""peers.py - servers that we did not write, for the tests of the client; and the C client that takes steps against
them.

Each is a program of servers/, which is run with a port (0: the kernel's choice), a directory of its own, and perhaps
the files of a certificate and its key; it says "listening PORT". It echoes every message of up to 4 MiB, except these
texts:

    swale:close CODE TEXT    it closes with that code and text
    swale:ping DATA          it pings with the data, and sends the text "pong DATA" when the pong has come
    swale:fragments          it sends the text "one two € three" in four fragments, one of them empty

It chooses the subprotocol "second" when that is offered, and permessage-deflate; and of every connection that ends it
says "closed CODE TEXT". What one of them cannot do stands in KINDS.
"""

import glob
import os
import subprocess
import tempfile
import threading

from program import REPORT, SANITIZER_OPTIONS, slack, until

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = os.path.join(HERE, "servers")
# Where those are that had to be compiled (CMakeLists.txt does that, once).
COMPILED = os.environ.get("SWALE_INTEROP_PEERS", "")
# The server of ours that is none of `swale serve`'s: transports.c.
TRANSPORTS = os.environ.get("SWALE_INTEROP_TRANSPORTS", "")


def jars(*patterns):
    found = [path for pattern in patterns for path in glob.glob(f"/usr/share/java/{pattern}.jar")]
    return ":".join(sorted(found))


def compiled(name, *arguments):
    return [os.path.join(COMPILED, name), *arguments]


def java_class(name, *patterns):
    return ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", f"{COMPILED}/java:{jars(*patterns)}", name]


JETTY = ("jetty9-*", "servlet-api")
TOMCAT = ("tomcat9-*",)


# What to run; what it can do. Tornado does not hear when it is asked to forget its window between messages.
DEFLATE = {"deflate", "deflate context"}
KINDS = {
    "websockets": (["/usr/bin/python3", "python_websockets.py"], {*DEFLATE, "subprotocol", "fragments"}),
    "ws": (["node", "ws.mjs"], {*DEFLATE, "subprotocol", "fragments"}),
    "faye-websocket": (["node", "faye.mjs"], {*DEFLATE, "subprotocol"}),
    "aiohttp": (["/usr/bin/python3", "aiohttp_server.py"], {*DEFLATE, "subprotocol"}),
    "socket.io": (["node", "socket_io.mjs"], {*DEFLATE}),
    "sockjs": (["node", "sockjs.mjs"], set()),
    "libwebsockets": (compiled("lws", "server"), {"subprotocol"}),
    "beast": (compiled("beast", "server"), {*DEFLATE, "subprotocol"}),
    "gorilla": (compiled("gorilla", "server"), {*DEFLATE, "subprotocol"}),
    "tornado": (["/usr/bin/python3", "tornado_server.py"], {"deflate context", "subprotocol"}),
    "em-websocket": (["ruby", "em_websocket.rb"], set()),
    "jetty": (java_class("JettyServer", *JETTY), {*DEFLATE, "subprotocol", "fragments"}),
    "tomcat": (java_class("TomcatServer", *TOMCAT), {*DEFLATE, "subprotocol", "fragments"}),
    "transports": ([TRANSPORTS], set()),
}


class Peer:
    def __init__(self, kind, certificate=None):
        self.command, self.can = KINDS[kind]
        self.directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        self.scheme = "wss" if certificate else "ws"
        self.arguments = [self.directory.name, *((certificate.certificate, certificate.key) if certificate else ())]
        self.port = 0
        self.start()

    def start(self):
        """Begins; again on the same port, when it has been killed."""
        self.lines = []
        self.process = subprocess.Popen(
            [*self.command, str(self.port), *self.arguments],
            cwd=SERVERS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**SANITIZER_OPTIONS, **os.environ},
        )
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        until(lambda: self.port or not self.reader.is_alive(), slack(60), "a listening server")
        assert self.port, "the server did not start:\n" + "\n".join(self.lines)

    def _read(self, output):
        for line in output:
            self.lines.append(line.rstrip())
            if line.startswith("listening "):
                self.port = int(line.split()[1])

    def url(self, path="/echo"):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()

    def saw_close(self, code, text=""):
        """Waits until the server says that a connection was closed so."""
        until(lambda: f"closed {code} {text}".rstrip() in self.lines, slack(10), f"close {code} in {self.lines}")

    def end(self):
        self.kill()
        self.directory.cleanup()


class Transports(Peer):
    """Ours, for protocols above WebSocket. As Program, it must end well."""

    def __init__(self, certificate=None):
        super().__init__("transports", certificate)

    def counted(self, reason):
        return sum(line.startswith("closed ") and line.split()[2] == reason for line in self.lines)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.process.terminate()
        try:
            status = self.process.wait(slack(15))
        finally:
            self.end()
        said = "\n".join(self.lines)
        assert failure or status == 0 and not REPORT.search(said), f"status {status}: {said}"


def take_steps(client, url, *steps, options=(), peer=None, environment=None):
    """Runs the C client, which must take all the steps; kills the peer (whatever can be killed and started), and starts
    it anew, when the client asks for that."""
    process = subprocess.Popen(
        [client, *options, url, *steps],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**SANITIZER_OPTIONS, **os.environ, **(environment or {})},
    )
    watchdog = threading.Timer(slack(120), process.kill)
    watchdog.start()
    said = []
    for line in process.stdout:
        said.append(line)
        if line == "kill\n":
            peer.kill()
            peer.start()
    process.wait()
    process.stdout.close()
    watchdog.cancel()
    assert process.returncode == 0, f"{url} {steps}: status {process.returncode}: {''.join(said)}"
    assert not REPORT.search("".join(said)), "".join(said)
