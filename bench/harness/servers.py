"""servers.py - what is measured: Swale, the bare servers, the peers, and servers from outside the tree.

A subject says what it can do, as a set of words that cells ask for (`needs`):

    echo, fan-out       the paths it serves
    tls, full, resumed  TLS; handshakes whole, and resumed from tickets
    shared, dedicated   permessage-deflate, without and with windows that are kept
    threads             as many threads as are asked for
"""

import os
import shlex
import shutil
import subprocess
import tempfile

from . import accounts
from .processes import Failed, end, free_port, server_cores, start, wait_until_listening

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERS = os.path.join(HERE, "peers")
ALL = frozenset({"echo", "fan-out", "tls", "full", "resumed", "shared", "dedicated"})


class Server:
    """A server process on cores of its own, ended at the end of the with block."""

    def __init__(self, subject, command, port, threads, environment):
        self.subject, self.command, self.port, self.threads, self.environment = subject, command, port, threads, environment

    def __enter__(self):
        self.process = start(
            self.command,
            server_cores(self.threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        try:
            wait_until_listening(self.process, self.port)
        except Failed:
            end(self.process)
            raise
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stdin.close()

    def account(self):
        return accounts.Account(self.process.pid)

    def private_bytes(self):
        return accounts.private_bytes(self.process.pid)


class Subject:
    """`paths`: of an echo, a topic, and its publisher; None: bare TCP."""

    family = None  # what kind of subject it is, where there are several: "swale", "bare"
    can = ALL
    paths = ("/echo", "/topic/x", "/topic/x")
    environment = {}

    def __init__(self, name):
        self.name = name
        self.family = self.family or name

    def missing(self):
        """Why it cannot be measured on this machine; None: it can."""
        return None

    def describe(self):
        """For the JSON: what it is."""
        return " ".join(os.path.basename(word) for word in self.command(0, {"mode": "echo", "size": 20}, 1))

    def lacks(self, cell):
        """Why it is not in a cell; None: it is."""
        unable = sorted(cell.needs - self.can)
        return f"has no {', '.join(unable)}" if unable else None

    def server(self, parameters, threads=1):
        port = free_port()
        return Server(self, self.command(port, parameters, threads), port, threads, self.environment)


def certificate_of(parameters):
    return parameters.get("tls", "none") != "none"


class Swale(Subject):
    """With all its limits, checks and timers on; only that all connections come from one address is allowed."""

    family = "swale"
    can = ALL | {"threads"}

    def __init__(self, build, backend):
        super().__init__("swale" if backend == "auto" else f"swale-{backend}")
        self.program, self.backend = f"{build}/swale", backend

    def missing(self):
        """A kernel or a sandbox may have no io_uring."""
        try:
            with self.server({}):
                return None
        except Failed:
            return f"does not start with the backend {self.backend}"

    def command(self, port, parameters, threads):
        command = [self.program, "serve", "--demo", "--threads", str(threads), "--log", "off"]
        command += ["--backend", self.backend, "--max-connections-per-address", "unlimited", "--listen", f"127.0.0.1:{port}"]
        deflate = parameters.get("deflate", "none")
        if deflate != "none":
            command.append("--deflate=" + {"shared": "shared", "dedicated": "context"}[deflate])
        if certificate_of(parameters):
            command += ["--tls-cert", certificate.path, "--tls-key", certificate.key]
        return command


class Bare(Subject):
    """Moves the same bytes over TCP, and does nothing else: the ceiling."""

    family = "bare"
    can = frozenset({"echo", "fan-out"})
    paths = None

    def __init__(self, build, backend):
        super().__init__(f"bare-{backend}")
        self.program = f"{build}/bench/{'bare_echo' if backend == 'epoll' else 'bare_uring'}"

    def missing(self):
        if not os.path.exists(self.program):
            return f"there is no {self.program}"
        try:
            with self.server({"mode": "echo", "size": 1}):
                return None
        except Failed:
            return "the kernel does not let it start"

    def lacks(self, cell):
        other = cell.parameters.get("mode") == "storm" or cell.kind == "memory" or cell.way == "generator"
        return "is bare TCP" if other else super().lacks(cell)

    def command(self, port, parameters, threads):
        size = parameters["size"]
        mode = "fan-out" if parameters["mode"] == "fan-out" else "echo"
        return [self.program, str(port), str(frame_size(size, True)), str(frame_size(size, False)), mode]


def frame_size(size, masked):
    return size + (2 if size < 126 else 4 if size < 65536 else 10) + (4 if masked else 0)


class Peer(Subject):
    """One of bench/peers. `build`: the command that makes it, with {source} and {out}. `needs`: packages, by what they install."""

    def __init__(self, build, name, source, run, can=ALL, needs=(), make=None, environment=None):
        super().__init__(name)
        self.can, self.needs, self.make, self.environment = can, needs, make, environment or {}
        self.source = os.path.join(PEERS, source)
        self.out = os.path.join(build, "bench", "peers", name)
        self.run = [word.format(source=self.source, out=self.out) for word in run]

    def missing(self):
        for package, there in self.needs:
            if not (os.path.exists(there) if there.startswith("/") else shutil.which(there)):
                return f"{package} is not installed"
        return self.compile() if self.make else None

    def compile(self):
        """Like make: only when the source is newer."""
        if os.path.exists(self.out) and os.path.getmtime(self.out) > os.path.getmtime(self.source):
            return None
        os.makedirs(os.path.dirname(self.out), exist_ok=True)
        command = [word.format(source=self.source, out=self.out) for word in self.make]
        environment = {**os.environ, "GOCACHE": os.path.abspath(os.path.dirname(self.out)) + "/go-cache", **self.environment}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return None if done.returncode == 0 else "cannot be compiled: " + done.stdout.strip()[-400:]

    def command(self, port, parameters, threads):
        command = [*self.run, str(port), parameters.get("deflate", "none")]
        return command + [certificate.path, certificate.key] if certificate_of(parameters) else command


class Nchan(Subject):
    family = "nchan"
    can = frozenset({"fan-out", "shared"})
    paths = (None, "/topic/x", "/publish/x")

    def missing(self):
        module = "/usr/lib/nginx/modules/ngx_nchan_module.so"
        return None if shutil.which("nginx") and os.path.exists(module) else "libnginx-mod-nchan is not installed"

    def command(self, port, parameters, threads):
        self.directory = tempfile.TemporaryDirectory(prefix="swale-bench-")
        deflate = "on" if parameters.get("deflate", "none") != "none" else "off"
        with open(os.path.join(PEERS, "nchan.conf")) as f:
            text = f.read().replace("@PORT@", str(port)).replace("@DEFLATE@", deflate)
        path = os.path.join(self.directory.name, "nchan.conf")
        with open(path, "w") as f:
            f.write(text.replace("@DIRECTORY@", self.directory.name))
        return ["nginx", "-p", self.directory.name, "-e", "/dev/null", "-c", path]


class Outside(Subject):
    """PEER_NAME="COMMAND {port} ..." in the environment: a server from outside the tree. What else the command mentions says what
    it can do: {tls} (replaced by a certificate and its key, in PEM, or by nothing), {deflate} (none, shared, dedicated), {threads},
    {topic} (replaced by nothing: it serves /topic/x besides /echo, as the peers here do)."""

    def __init__(self, name, command):
        super().__init__(name)
        self.words = command
        self.can = frozenset({"echo"})
        for word, able in ("{tls}", {"tls", "full", "resumed"}), ("{deflate}", {"shared", "dedicated"}), ("{threads}", {"threads"}), ("{topic}", {"fan-out"}):
            self.can |= able if word in command else set()

    def missing(self):
        program = shlex.split(self.words)[0]
        return None if shutil.which(program) else f"there is no {program}"

    def command(self, port, parameters, threads):
        tls = f"{shlex.quote(certificate.path)} {shlex.quote(certificate.key)}" if certificate_of(parameters) else ""
        words = {"port": port, "tls": tls, "deflate": parameters.get("deflate", "none"), "threads": threads, "topic": ""}
        text = self.words
        for name, value in words.items():
            text = text.replace("{" + name + "}", str(value))
        return shlex.split(text)


class Certificate:
    """Made when it is first asked for: P-256, as most of the web has."""

    def __init__(self):
        self.directory = None

    def _make(self):
        if self.directory:
            return
        self.directory = tempfile.TemporaryDirectory(prefix="swale-bench-")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        command += ["-subj", "/CN=localhost", "-keyout", f"{self.directory.name}/key.pem", "-out", f"{self.directory.name}/cert.pem"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def path(self):
        self._make()
        return f"{self.directory.name}/cert.pem"

    @property
    def key(self):
        self._make()
        return f"{self.directory.name}/key.pem"


certificate = Certificate()


def peers(build):
    tests = os.path.join(os.path.dirname(HERE), "tests")
    yield Peer(
        build,
        "libwebsockets",
        "lws.c",
        ["{out}"],
        can=ALL - {"shared", "dedicated"},
        needs=[("libwebsockets-dev", "/usr/include/libwebsockets.h")],
        make=["cc", "-std=gnu17", "-O2", "-o", "{out}", "{source}", "-lwebsockets"],
    )
    yield Peer(
        build,
        "beast",
        "beast.cpp",
        ["{out}"],
        needs=[("libboost-dev", "/usr/include/boost/beast.hpp")],
        make=["c++", "-std=c++17", "-O2", "-DNDEBUG", "-o", "{out}", "{source}", "-lssl", "-lcrypto", "-lpthread"],
    )
    yield Peer(
        build,
        "gorilla",
        "gorilla.go",
        ["{out}"],
        can=ALL - {"dedicated"},
        needs=[("golang-go", "go"), ("golang-github-gorilla-websocket-dev", "/usr/share/gocode/src/github.com/gorilla/websocket")],
        make=["go", "build", "-o", "{out}", "{source}"],
        environment={"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": "/usr/share/gocode", "GOMAXPROCS": "1"},
    )
    yield Peer(build, "ws", "ws.mjs", ["node", "{source}"], needs=[("nodejs", "node"), ("ws of tests/package.json (npm ci)", f"{tests}/node_modules/ws")])
    yield Peer(
        build,
        "websockets",
        "websockets_server.py",
        ["/usr/bin/python3", "{source}"],
        needs=[("python3-websockets", "/usr/lib/python3/dist-packages/websockets")],
    )
    yield Nchan("nchan")


def outside():
    for name, command in sorted(os.environ.items()):
        if name.startswith("PEER_") and command:
            yield Outside(name[len("PEER_") :].lower(), command)


def subjects(build, backends):
    """All that there could be; the first is the base of every comparison."""
    return [
        *(Swale(build, backend) for backend in backends),
        *(Bare(build, backend) for backend in ("epoll", "io_uring")),
        *outside(),
        *peers(build),
    ]
