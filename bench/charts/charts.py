"""charts.py - the charts of docs/charts, each by the name of its file. A function gives SVG, or None where nothing was measured for it."""
import math

from .results import is_bare, is_ours, name_of
from .svg import Page, Plot, bars, stack
from .tables import digits, exact

WIDTH = 760
GAP = 28


def kind_of(subject):
    return "own" if is_ours(subject) else "bare" if is_bare(subject) else ""


def log(least, most):
    span = math.log(most / least)
    return lambda value: math.log(value / least) / span


# ---- Bars

def rows_of(results, cell, figure):
    """Subjects from the least to the most."""
    found = [(subject, results.figure(cell, subject, figure)) for subject in results.subjects_of([cell])]
    found = sorted((one for one in found if one[1]), key=lambda one: one[1])
    return [(name_of(subject), value, digits(value), kind_of(subject)) for subject, value in found]


def panels(page, results, heads, figure, top):
    """Two in a row."""
    column = (WIDTH - GAP) / 2
    y, tall = top, 0
    for number, (cell, head) in enumerate(heads):
        side = number % 2
        tall = max(tall if side else 0, bars(page, side * (column + GAP), y, column, head, rows_of(results, cell, figure)))
        if side or number == len(heads) - 1:
            y += tall + 34
    return page.whole()


def comparison(title, description, heads, figure):
    def make(results):
        there = [(cell, head) for cell, head in heads if cell in results.cells]
        if not there:
            return None
        page = Page(WIDTH, title, description)
        page.text(0, 18, title, "title")
        page.text(0, 38, description)
        return panels(page, results, there, figure, 72)
    return make


# ---- Growth

def growth(results):
    if "connections" not in results.cells:
        return None
    description = "Server CPU for an echo of 20 bytes, one in flight on each connection, in µs, by connections"
    page = Page(WIDTH, "CPU per message by connections", description)
    page.text(0, 18, "CPU per message by connections", "title")
    page.text(0, 38, description)
    subjects = [name for name in results.subjects_of(["connections"]) if name in ("swale", "uws") or is_bare(name)]
    xs = results.xs("connections")
    lines = {name: [(x, results.figure("connections", name, "server_cpu_us", x)) for x in xs if results.point("connections", name, x)] for name in subjects}
    most = math.ceil(max(y for line in lines.values() for _, y in line) / 2) * 2
    plot = Plot(page, (36, 60, WIDTH - 200, 240), log(xs[0], xs[-1]), lambda y: y / most)
    step = max(2, math.ceil(most / 6 / 2) * 2)
    plot.grid([(y, str(y)) for y in range(0, most + 1, step)], [(x, exact(x)) for x in xs])
    draw(plot, lines)
    return page.whole()


def decades(lines):
    """Ticks of a logarithmic axis: from the last one below all values to the first one above."""
    values = [y for line in lines.values() for _, y in line]
    ticks = [10**n * m for n in range(7) for m in (1, 3)]
    below = max([tick for tick in ticks if tick <= min(values)], default=ticks[0])
    above = min([tick for tick in ticks if tick >= max(values)], default=ticks[-1])
    return [tick for tick in ticks if below <= tick <= above]


def draw(plot, lines):
    """Swale last, so that it lies above the others."""
    others = iter((1, 3, 4))
    tones = {name: 0 if is_ours(name) else 2 if is_bare(name) else next(others) for name in lines}
    for name in sorted(lines, key=lambda name: -tones[name]):
        plot.series(lines[name], tones[name])
    plot.labels([(name_of(name), *line[-1], tones[name]) for name, line in lines.items()])


def latency(results):
    """Percentiles at the lower load, where the load generator is not what they tell of; by the number of nines."""
    if "latency" not in results.cells:
        return None
    x = results.xs("latency")[0]
    names = ["p50", "p90", "p99", "p99.9", "p99.99"]
    description = f"Open loop at {x}% of what Swale can do: µs from the instant at which a message was meant to leave, by percentile"
    page = Page(WIDTH, "Latency", description)
    page.text(0, 18, "Latency", "title")
    page.text(0, 38, description)
    wanted = [name for name in results.subjects_of(["latency"]) if results.point("latency", name, x)]
    wanted = [name for name in wanted if is_ours(name) or results.figure("latency", name, "rate", x) > 0.98 * results.figure("latency", name, "offered", x)]
    wanted = wanted[:3]
    lines = {name: [(n, results.figure("latency", name, f"{p}_us", x)) for n, p in enumerate(names)] for name in wanted}
    ticks = decades(lines)
    plot = Plot(page, (62, 60, WIDTH - 226, 240), lambda n: n / (len(names) - 1), log(ticks[0], ticks[-1]))
    plot.grid([(tick, exact(tick)) for tick in ticks], list(enumerate(names)))
    draw(plot, lines)
    return page.whole()


# ---- Scale

KINDS = [("socket (TCP)", ("TCP",)), ("its inode, entry, file", ("sock_inode_cache", "dentry", "filp", "lsm_inode_cache", "lsm_file_cache"))]


def memory(results):
    """One connection: Swale's part, and the kernel's."""
    run = results.scale
    if not run:
        return None
    objects = {name: kind["bytes"] * kind["part"] for name, kind in run["memory"]["kernel_objects_of_both_ends"].items()}
    parts = [("Swale", run["memory"]["user"])]
    for name, slabs in KINDS:
        parts.append((name, sum(objects.pop(slab, 0) for slab in slabs)))
    parts.append(("epoll or io_uring, else", sum(objects.values())))
    parts = [(name, size, f"{exact(size)} B") for name, size in parts if size > 0]
    total = sum(size for _, size, _ in parts)
    description = f"{exact(total)} bytes for each of {exact(run['connections'])} idle connections: Swale's part, and what the kernel keeps for the server's end"
    page = Page(WIDTH, "Memory of an idle connection", description)
    page.text(0, 18, "Memory of an idle connection", "title")
    page.text(0, 38, description)
    stack(page, 0, 92, WIDTH, parts)
    return page.whole()


def primitives(results):
    """ns by size, of what touches every byte."""
    wanted = [("unmask", "unmask"), ("utf8-ascii", "UTF-8, ASCII"), ("utf8-cjk", "UTF-8, CJK")]
    lines = {label: sorted(results.primitive(cell).items()) for cell, label in wanted}
    if not all(lines.values()):
        return None
    description = "ns for a payload, by its bytes; one core, best of seven"
    page = Page(WIDTH, "What touches every byte", description)
    page.text(0, 18, "What touches every byte", "title")
    page.text(0, 38, description)
    ticks = decades(lines)
    plot = Plot(page, (62, 60, WIDTH - 196, 240), log(6, 16384), log(ticks[0], ticks[-1]))
    plot.grid([(tick, exact(tick)) for tick in ticks], [(size, exact(size)) for size in (20, 64, 125, 1024, 16384)])
    for tone, (label, line) in enumerate(lines.items()):
        plot.series(line, (0, 1, 3)[tone])
    plot.labels([(label, *line[-1], (0, 1, 3)[tone]) for tone, (label, line) in enumerate(lines.items())])
    return page.whole()


CHARTS = {
    "echo": comparison("CPU per message: echo", "Server CPU for one message, in µs: less is better. Dashed: bare TCP, which only moves the bytes",
                       [("echo-20", "20 B"), ("echo-20x32", "20 B, 32 in flight"), ("echo-1k", "1 KiB"), ("echo-16k", "16 KiB"),
                        ("echo-16k-cjk", "16 KiB of CJK text"), ("echo-1m", "1 MiB")], "server_cpu_us"),
    "fan-out": comparison("CPU per delivery: one message to many", "Server CPU for one delivery of 100 B, in µs: less is better. Dashed: bare TCP",
                          [("fanout-1000", "to 1000"), ("fanout-1000x16", "to 1000, 16 publishes in flight"), ("fanout-10000", "to 10,000")], "server_cpu_us"),
    "idle": comparison("Memory of an idle connection", "Bytes of user memory of the server for each of 10,000, after one message each: less is better",
                       [("idle", "plain"), ("idle-deflate", "permessage-deflate, shared"), ("idle-dedicated", "permessage-deflate, own windows"),
                        ("idle-tls", "TLS")], "bytes"),
    "connections": growth,
    "latency": latency,
    "memory": memory,
    "primitives": primitives,
}
