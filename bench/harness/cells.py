"""cells.py - what there is to measure."""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatch


@dataclass(frozen=True)
class Cell:
    name: str
    title: str
    way: str  # a function of measure.py
    needs: frozenset  # what a subject must be able to do: servers.py
    kind: str = "rate"
    unit: str = "messages"
    parameters: dict = field(default_factory=dict)  # of the load: connections, size, depth, payload, deflate, tls
    axis: str = None  # what x is
    xs: tuple = (None,)
    only: tuple = ()  # subjects (their families), where others make no sense

    def quickly(self):
        """With so few connections that it takes no time to open them."""
        few = dict(self.parameters)
        few["connections"] = min(few.get("connections", 100), 500)
        xs = tuple(x for x in self.xs if self.axis != "connections" or x <= 1000)
        return replace(self, title=f"{self.title} (quickly: at most 500)", parameters=few, xs=xs)


CELLS = []


def add(name, title, way, needs, **rest):
    CELLS.append(Cell(name, title, way, frozenset(needs), **rest))


def size_text(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB" if size >= 1 << 10 else f"{size} B"


def echo(name, size, connections, depth=1, what="", needs=(), **parameters):
    title = f"echo of {size_text(size)}{what}, {depth} in flight, {connections} connections"
    parameters = {"connections": connections, "size": size, "depth": depth, **parameters}
    add(name, title, "closed", {"echo", *needs}, parameters=parameters)


echo("echo-20", 20, 100)
echo("echo-20x32", 20, 100, depth=32)
echo("echo-1k", 1024, 100)
echo("echo-16k", 16384, 50)
echo("echo-16k-ascii", 16384, 50, what=" of ASCII text", payload="ascii")
echo("echo-16k-cjk", 16384, 50, what=" of CJK text", payload="cjk")
echo("echo-1m", 1 << 20, 10)
echo("tls-20", 20, 100, what=" over TLS", needs={"tls"}, tls="full")
echo("tls-16k", 16384, 50, what=" over TLS", needs={"tls"}, tls="full")
for kind in "shared", "dedicated":
    echo(f"deflate-1k-{kind}", 1024, 100, what=f" of JSON, permessage-deflate, {kind} window", needs={kind}, payload="json", deflate=kind)


def fan_out(name, subscribers, depth, size=100, what="", needs=(), **parameters):
    title = f"{size_text(size)}{what} to {subscribers} subscribers, {depth} publish{'es' if depth > 1 else ''} in flight"
    parameters = {"connections": subscribers, "size": size, "depth": depth, **parameters}
    add(name, title, "closed", {"fan-out", *needs}, unit="deliveries", parameters=parameters)


DEFLATED = {"size": 1024, "what": " of JSON, permessage-deflate, shared window", "needs": {"shared"}, "payload": "json", "deflate": "shared"}
fan_out("fanout-1000", 1000, 1)
fan_out("fanout-1000x16", 1000, 16)
fan_out("fanout-1000-deflate", 1000, 1, **DEFLATED)
fan_out("fanout-1000x16-deflate", 1000, 16, **DEFLATED)
fan_out("fanout-10000", 10000, 1)

for name, title, tls in [
    ("handshake", "handshakes", None),
    ("handshake-tls", "handshakes, TLS 1.3 with P-256", "full"),
    ("handshake-resumed", "handshakes, TLS 1.3 resumed", "resumed"),
]:
    needs = {"echo", "tls", tls} if tls else {"echo"}
    add(name, f"{title}, 20 at a time", "closed", needs, unit="handshakes", parameters={"mode": "storm", "connections": 20, "tls": tls or "none"})

for name, title, needs, parameters in [
    ("idle", "", set(), {}),
    ("idle-deflate", ", permessage-deflate, shared window", {"shared"}, {"deflate": "shared", "payload": "json", "size": 1024}),
    ("idle-dedicated", ", permessage-deflate, own window", {"dedicated"}, {"deflate": "dedicated", "payload": "json", "size": 1024}),
    ("idle-tls", ", TLS", {"tls"}, {"tls": "full"}),
]:
    title = f"10,000 idle connections after one message each{title}"
    add(name, title, "idle", {"echo", *needs}, kind="memory", unit="connections", parameters={"connections": 10000, "size": 20, **parameters})

add(
    "latency",
    "open loop, 20 B, 100 connections",
    "latency",
    {"echo"},
    kind="latency",
    parameters={"connections": 100, "size": 20},
    axis="% of capacity",
    xs=(50, 80),
)
add(
    "threads",
    "echo of 20 B, 32 in flight, 100 connections, by threads of the server",
    "closed",
    {"echo", "threads"},
    parameters={"connections": 100, "size": 20, "depth": 32},
    axis="threads",
    xs=(1, 2),
)
add(
    "connections",
    "echo of 20 B, 1 in flight, by connections",
    "closed",
    {"echo"},
    parameters={"size": 20, "depth": 1},
    axis="connections",
    xs=(100, 300, 1000, 3000, 10000, 15000),
)

# How many threads of a server one thread of `swale bench` keeps busy: server_cpu_us against load_cpu_us.
for name, connections, size, depth in [
    ("generator-20", 100, 20, 1),
    ("generator-20x32", 100, 20, 32),
    ("generator-1k", 100, 1024, 1),
    ("generator-16k", 50, 16384, 1),
    ("generator-1m", 10, 1 << 20, 1),
]:
    title = f"`swale bench`: echo of {size_text(size)}, {depth} in flight, {connections} connections"
    parameters = {"connections": connections, "size": size, "depth": depth}
    add(name, title, "generator", {"echo"}, parameters=parameters)

add("micro", "primitives", "micro", set(), kind="text", only=("swale",))


def choose(names):
    """The cells of these names, which may be patterns; all of them by default."""
    if not names:
        return CELLS
    chosen = []
    for name in names:
        found = [cell for cell in CELLS if fnmatch(cell.name, name)]
        if not found:
            raise SystemExit(f"bench: no cell {name!r}; there are {', '.join(cell.name for cell in CELLS)}")
        chosen += [cell for cell in found if cell not in chosen]
    return chosen
