"""tables.py - the tables of docs/performance.md, each by the name that stands in the page. A function gives lines of Markdown."""

import statistics

from .results import is_bare, is_ours, name_of

NONE = "–"

ECHO = ["echo-20", "echo-20x32", "echo-1k", "echo-16k", "echo-16k-ascii", "echo-16k-cjk", "echo-1m"]
TLS = ["tls-20", "tls-16k"]
DEFLATE = ["deflate-1k-shared", "deflate-1k-dedicated"]
FAN_OUT = ["fanout-1000", "fanout-1000x16", "fanout-1000-deflate", "fanout-1000x16-deflate", "fanout-10000"]
HANDSHAKE = ["handshake", "handshake-tls", "handshake-resumed"]
IDLE = ["idle", "idle-deflate", "idle-dedicated", "idle-tls"]
GENERATOR = ["generator-20", "generator-20x32", "generator-1k", "generator-16k", "generator-1m"]


# ---- Words and figures

def digits(value):
    """Three that mean something."""
    if value >= 1000:
        step = 10 ** (len(str(int(value))) - 3)
        return f"{round(value / step) * step:,}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def exact(value):
    return f"{value:,.0f}"


def mib(size):
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:.2f} GiB"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def ratio(point):
    """How many times more, and behind it how many times less CPU time."""
    if not point:
        return NONE
    rate, cpu = point["ratios"]["rate"]["median"], point["ratios"]["server_cpu_us"]["median"]
    return f"{rate:.2f} · {cpu:.2f}" + (" *" if point.get("limit") == "load" else "")


def short_title(cell):
    return cell["title"].replace(", 1 in flight", "").replace("echo of ", "").replace(", 20 at a time", "")


def against(results, names, subjects):
    """A row for each cell: Swale's own figures, and how they compare with these subjects'."""
    names = results.there(names)
    rows = []
    for name in names:
        cell, own = results.cells[name], results.point(name, results.cells[name]["base"])
        rate = digits(own["figures"]["rate"]["median"]) + (" *" if own.get("limit") == "load" else "")
        row = [short_title(cell), rate, digits(own["figures"]["server_cpu_us"]["median"]) + " µs"]
        rows.append(row + [ratio(results.point(name, subject)) for subject in subjects])
    unit = results.cells[names[0]]["unit"] if names else "messages"
    return table(["", f"{unit}/s", "CPU"] + [f"against {name_of(subject)}" for subject in subjects], rows)


def deflate(results):
    """A row for each that can: what counts is the CPU time and the bytes on the wire together."""
    rows = []
    for name in results.there(DEFLATE):
        for subject in results.subjects_of([name]):
            point = results.point(name, subject)
            figures = point["figures"]
            rows.append([short_title(results.cells[name]), name_of(subject), digits(figures["rate"]["median"]),
                         digits(figures["server_cpu_us"]["median"]) + " µs", exact(figures["wire_in"]["median"])])
    return table(["", "", "messages/s", "CPU", "bytes of an answer on the wire"], rows)


def main_subjects(results, names):
    """The ceilings and uWebSockets: whoever is compared in the first place."""
    return [name for name in results.subjects_of(results.there(names)) if not is_ours(name) and (is_bare(name) or name == "uws")]


def other_subjects(results, names):
    mains = main_subjects(results, names)
    return [name for name in results.subjects_of(results.there(names)) if not is_ours(name) and name not in mains]


def compared(names):
    return lambda results: against(results, names, main_subjects(results, names))


def compared_with_all(names):
    return lambda results: against(results, names, main_subjects(results, names) + other_subjects(results, names))


def peers(results):
    """The others, a row each, in the cells of echo and fan-out."""
    names = results.there([name for name in ECHO if name not in ("echo-16k-ascii", "echo-16k-cjk")] + ["fanout-1000", "fanout-1000x16"])
    rows = [[name_of(subject)] + [ratio(results.point(name, subject)) for name in names] for subject in other_subjects(results, names)]
    heads = {"echo-20": "20 B", "echo-20x32": "20 B, 32 in flight", "echo-1k": "1 KiB", "echo-16k": "16 KiB", "echo-1m": "1 MiB",
             "fanout-1000": "fan-out", "fanout-1000x16": "fan-out, 16 in flight"}
    return table(["Swale against"] + [heads[name] for name in names], rows)


# ---- Memory, latency, growth

def idle(results):
    names = results.there(IDLE)
    heads = {"idle": "plain", "idle-deflate": "deflate, shared", "idle-dedicated": "deflate, own windows", "idle-tls": "TLS"}
    rows = []
    for subject in results.subjects_of(names):
        sizes = [results.figure(name, subject, "bytes") for name in names]
        rows.append([name_of(subject)] + [exact(size) if size is not None else NONE for size in sizes])
    return table(["bytes of user memory for each"] + [heads[name] for name in names], rows)


def latency(results):
    columns = ["p50", "p90", "p99", "p99.9", "p99.99", "max", "late_p99"]
    rows = []
    for x in results.xs("latency"):
        for subject in results.subjects_of(["latency"]):
            point = results.point("latency", subject, x)
            if point:
                figures = point["figures"]
                rows.append([f"{x}%: {digits(figures['offered']['median'])} messages/s", name_of(subject)]
                            + [digits(figures[f"{column}_us"]["median"]) for column in columns])
    return table(["load", "µs"] + columns[:-1] + ["the load's own lateness, p99"], rows)


def by_x(cell, figure, head, unit=""):
    def make(results):
        subjects = results.subjects_of([cell])
        rows = []
        for x in results.xs(cell):
            found = [results.figure(cell, subject, figure, x) for subject in subjects]
            rows.append([exact(x)] + [digits(value) + unit if value is not None else NONE for value in found])
        return table([head] + [name_of(subject) for subject in subjects], rows)
    return make


def threads(results):
    rows = []
    for subject in results.subjects_of(["threads"]):
        for x in results.xs("threads"):
            point = results.point("threads", subject, x)
            if point:
                figures = point["figures"]
                limit = " *" if point.get("limit") == "load" else ""
                cpu, alone = figures["server_cpu_us"]["median"], results.figure("threads", subject, "server_cpu_us", 1)
                rows.append([name_of(subject), str(x), digits(figures["rate"]["median"]) + limit, digits(cpu) + " µs", f"{cpu / alone:.2f}"])
    return table(["", "threads", "messages/s", "CPU", "of that of one thread"], rows)


def generator(results):
    """For how many threads of each server, by the CPU of both, one of `swale bench` is enough."""
    names = results.there(GENERATOR)
    subjects = results.subjects_of(names)
    rows = []
    for name in names:
        row = [short_title(results.cells[name]).replace("`swale bench`: ", ""), digits(results.figure(name, "swale", "load_cpu_us")) + " µs"]
        for subject in subjects:
            point = results.point(name, subject)
            figures = point and point["figures"]
            row.append(f"{figures['server_cpu_us']['median'] / figures['load_cpu_us']['median']:.2f}" if figures else NONE)
        rows.append(row)
    return table(["one thread for so many of", "its CPU, with Swale"] + [name_of(subject) for subject in subjects], rows)


# ---- Backends

URING, EPOLL = "swale-io_uring", "swale-epoll"
SLOWER = 0.95  # less is more than the unrest of a quiet machine


def backend_row(results, name, x):
    """What it costs with each; for the latency, half of the answers."""
    cell, points = results.cells[name], [results.point(name, subject, x) for subject in (URING, EPOLL)]
    title = short_title(cell) + (f", {x}%: half of the answers within" if x else "")
    figure, compared = ("p50_us", f"{points[1]['ratios']['p50_us']['median']:.2f}") if x else ("server_cpu_us", ratio(points[1]))
    return [title] + [digits(point["figures"][figure]["median"]) + " µs" for point in points] + [compared]


def costs_more(results, name):
    point = results.point(name, EPOLL)
    return point and point["ratios"].get("server_cpu_us", {"median": 1})["median"] < SLOWER


def backends(results):
    results = results.backends
    rows = [backend_row(results, name, x) for name in results.cells for x in results.xs(name)]
    worse = [short_title(results.cells[name]) for name in results.cells if costs_more(results, name)]
    told = f"io_uring takes more CPU by 5% and more in: {'; '.join(worse)}." if worse else "In none of these does io_uring take more CPU by 5% and more."
    return table(["CPU", "io_uring", "epoll", "io_uring against epoll"], rows) + ["", told]


# ---- Primitives

SIZED = {
    "unmask": "unmask",
    "utf8-ascii": "check UTF-8, ASCII",
    "utf8-cjk": "check UTF-8, CJK",
    "receive-binary": "receive a binary frame",
    "receive-text": "receive a text frame",
    "encode-masked": "encode a frame as a client",
}
SINGLE = {
    "timer": "start and stop a timer, among 1000",
    "timer-fire": "start a timer and fire it",
    "publish-1": "publish to one subscriber, in a turn of its own",
    "publish-1000": "publish to 1000: for each",
    "publish-1000x16": "publish 16 to 1000 in one turn: for each",
    "publish-10000": "publish to 10,000: for each",
    "heartbeat": "ping a connection, and hear its pong",
    "handshake": "let a connection in, and let it go",
}


def nanoseconds(ns, size):
    time = f"{ns:.1f} ns" if ns < 100 else f"{ns:.0f} ns"
    return time if size < 4096 else f"{time} ({size / ns:.0f} GB/s)"


def primitives(results):
    sizes = [20, 64, 125, 1024, 16384]
    rows = []
    for cell, what in SIZED.items():
        found = results.primitive(cell)
        near = [min(found, key=lambda size, wanted=wanted: abs(size - wanted)) for wanted in sizes]
        rows.append([what] + [nanoseconds(found[size], size) for size in near])
    return table([""] + ["20 B", "64 B", "125 B", "1 KiB", "16 KiB"], rows)


def paths(results):
    rows = [[what, digits(next(iter(results.primitive(cell).values()))) + " ns"] for cell, what in SINGLE.items()]
    rows += [[f"parse a request head of {size} bytes", f"{ns:.0f} ns"] for size, ns in results.primitive("head").items()]
    rows += [[f"the same, check it and write the answer ({size} bytes)", f"{ns:.0f} ns"] for size, ns in results.primitive("upgrade").items()]
    rows += [[f"echo {size:,} bytes through a connection", f"{ns:.0f} ns"] for size, ns in results.primitive("echo").items()]
    return table(["", ""], rows)


# ---- Scale

def spread(figures, unit=""):
    return f"{digits(figures['median'])}{unit} ({digits(figures['min'])} to {digits(figures['max'])})"


def scale(results):
    run = results.scale
    memory, beat, cast, active = run["memory"], run["heartbeat"], run["broadcast"], run["active"]
    count = run["connections"]
    rows = [
        ["user memory for each connection, idle on a topic", f"{exact(memory['user'])} B"],
        ["the same, after the broadcasts", f"{exact(cast['user_after'])} B"],
        ["the same, lightly active", f"{exact(active['user'])} B"],
        ["kernel memory for each connection, at the server's end", f"{exact(memory['kernel'])} B"],
        ["heartbeats: CPU for a ping and its pong", f"{digits(beat['cpu_us'])} µs"],
        ["heartbeats: of one core", f"{beat['busy_percent']:.1f}%"],
        [f"{cast['bytes']} bytes to all {exact(count)}: until the first has read it", spread(cast["first_ms"], " ms")],
        ["until the last has", spread(cast["last_ms"], " ms")],
        ["CPU for each delivery", spread(cast["cpu_us"], " µs")],
        ["longest turn of a loop until then", f"{digits(cast['longest_turn_ms'])} ms"],
        ["echoes of others meanwhile: median, 99 of 100, longest", ", ".join(digits(cast["echo_meanwhile_ms"][name]) for name in ("p50", "p99", "max")) + " ms"],
        [f"lightly active, {exact(active['messages_per_second'])} messages/s: CPU for each", f"{digits(active['cpu_us'])} µs"],
        ["of one core", f"{active['busy_percent']:.1f}%"],
        ["latency: p50, p99, p99.9", ", ".join(digits(active["latency_us"][name]) for name in ("p50", "p99", "p99.9")) + " µs"],
        ["connections lost", str(active["lost"])],
    ]
    return table([f"{exact(count)} connections, {run['processes']} processes of one thread on one core", ""], rows)


def kernel_objects(results):
    """What the kernel keeps of both ends. Names of slabs that share a size are one name of theirs."""
    objects = results.scale["memory"]["kernel_objects_of_both_ends"]
    rows = [[f"`{name}`", f"{kind['objects']:.1f}", exact(kind["bytes"])] for name, kind in sorted(objects.items(), key=lambda item: -item[1]["bytes"])]
    rows.append(["together", NONE, exact(sum(kind["bytes"] for kind in objects.values()))])
    return table(["slab", "objects for each connection", "bytes"], rows)


MILLION = 1_000_000
PING_AFTER = 25


def million(results):
    """The arithmetic of a million connections, from what was measured."""
    run = results.scale
    user, kernel = run["memory"]["user"], run["memory"]["kernel"]
    beat, cast = run["heartbeat"]["cpu_us"], run["broadcast"]["cpu_us"]["median"]
    beats = MILLION / PING_AFTER
    rows = [
        ["user memory", f"{exact(user)} B × 1,000,000", mib(user * MILLION)],
        ["kernel memory", f"{exact(kernel)} B × 1,000,000", mib(kernel * MILLION)],
        ["together", f"{exact(user + kernel)} B × 1,000,000", mib((user + kernel) * MILLION)],
        ["heartbeats", f"1,000,000 / {PING_AFTER} s × {digits(beat)} µs", f"{beats * beat / 1e6:.2f} cores"],
        ["one broadcast", f"1,000,000 × {digits(cast)} µs", f"{MILLION * cast / 1e6:.1f} core seconds"],
        ["the same on 16 cores", "/ 16", f"{MILLION * cast / 16e6:.2f} s"],
    ]
    return table(["", "arithmetic", "for a million"], rows)


# ---- The machine

MUCH = 20  # % from one run to another: what no quiet machine does


def unsteady(results, figure):
    """How much a figure of Swale's differed from one run to another, in the middle of all cells: what to think of small differences."""
    shares = []
    for cell in results.cells.values():
        for point in (cell["subjects"][0]["points"] if cell["kind"] == "rate" else ()):
            one = point["figures"][figure]
            if len(one["runs"]) > 1:
                shares.append((one["max"] - one["min"]) / one["median"])
    return 100 * statistics.median(shares or [0])


def span(values, unit):
    least, most = f"{min(values):g}", f"{max(values):g}"
    return f"{least if least == most else f'{least} to {most}'} {unit}{'' if most == '1' else 's'}"


def when_measured(results):
    """(day, revision) -> what was measured then, by name, and how."""
    found = {}
    named = [(name, cell["measured"]) for name, cell in results.cells.items()]
    named += [("epoll or io_uring", cell["measured"]) for cell in results.backends.cells.values()]
    for name, measured in named:
        found.setdefault((measured["when"][:10], measured["revision"]), []).append((name, measured))
    for name, document in (("primitives", results.micro), ("scale", results.scale)):
        if document:
            found.setdefault((document["when"][:10], document["swale"]["revision"]), []).append((name, None))
    return found


def machine(results):
    host = results.machine
    lines = [f"Measured on: {host['processor']}, {host['cores']} cores of a virtual machine, {host['memory_mib'] // 1024} GiB, Linux {host['kernel']}."]
    found = when_measured(results)
    most = max(found, key=lambda key: len(found[key]))
    for key in sorted(found, key=lambda key: key != most):
        names = list(dict.fromkeys(name for name, _ in found[key]))
        settings = [measured for _, measured in found[key] if measured]
        what = ("everything" if len(found) == 1 else "everything else") if key == most else ", ".join(names)
        how = f" ({span([one['rounds'] for one in settings], 'round')} of {span([one['seconds'] for one in settings], 'second')})" if settings else ""
        lines.append(f"Revision {key[1]}, {key[0]}: {what}{how}.")
    rate, cpu = unsteady(results, "rate"), unsteady(results, "server_cpu_us")
    lines.append(f"From one run of a cell to another Swale's messages a second differed by {rate:.0f}%, its CPU for a message by {cpu:.0f}% (medians over the cells).")
    if rate > MUCH:
        lines.append("**The machine had much other work meanwhile**: messages a second and latencies say little here, and of the CPU only large differences do.")
    return ["\n".join(lines)]


def profile(results):
    """Where the time of a message goes."""
    rows = []
    for cell in results.profile.get("cells", ()):
        for subject in cell["subjects"]:
            parts = dict(subject["parts"])
            kernel, own = parts.pop("kernel", 0), parts.pop("own", 0)
            libraries = [f"{name} {digits(us)}" for name, us in parts.items() if us > subject["cpu_us"] / 100]
            rows.append([short_title(cell), name_of(subject["name"]), digits(subject["cpu_us"]), digits(kernel), digits(own),
                         ", ".join(libraries) or NONE])
    return table(["", "", "µs", "kernel", "own code", "libraries"], rows)


TABLES = {
    "machine": machine,
    "echo": compared(ECHO),
    "peers": peers,
    "tls": compared_with_all(TLS),
    "deflate": deflate,
    "fan-out": compared(FAN_OUT),
    "handshakes": compared_with_all(HANDSHAKE),
    "idle": idle,
    "latency": latency,
    "threads": threads,
    "backends": backends,
    "profile": profile,
    "connections": by_x("connections", "server_cpu_us", "connections", " µs"),
    "generator": generator,
    "primitives": primitives,
    "paths": paths,
    "scale": scale,
    "kernel-objects": kernel_objects,
    "million": million,
}
