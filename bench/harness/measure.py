"""measure.py - runs a cell: every subject in turns, round after round."""

import itertools
import statistics
import subprocess

from . import report
from .loads import Load, swale_bench
from .processes import CORES, Crowd, Failed, load_cores, server_cores, start

# What is good when it is more; everything else is a cost.
RATES = {"rate", "offered"}
# What a share of the base's would say nothing about.
NOT_COMPARED = {"server_busy", "load_busy", "load_cpu_us", "offered", "late_p99_us"}
# So much of the server's work is as much as all of it.
NEARLY = 0.95

# What a server has worked with before the memory of idle connections is measured: enough to pass through all its buffers. More
# connections than `load` opens at a time.
WARMING = {"connections": 100, "depth": 16}
WARMING_SECONDS = 1


class Run:
    """The settings of one call of the harness, or of a part of it."""

    def __init__(self, build, rounds, seconds, load, revision):
        self.build, self.rounds, self.seconds, self.load, self.revision = build, rounds, seconds, load, revision


# ---- One run of one subject: a function gives its figures


def load_arguments(server, mode, parameters):
    arguments = [mode, server.port]
    paths = server.subject.paths
    if paths:
        echo, topic, publisher = paths
        arguments += ["--path", topic, "--publisher", publisher] if mode == "fan-out" else ["--path", echo]
    for name in "connections", "size", "depth", "payload", "deflate", "tls":
        if name in parameters:
            arguments += [f"--{name}", parameters[name]]
    return arguments


def closed(run, subject, parameters, threads, _):
    """`load` keeps as many messages in flight as it is told."""
    with subject.server(parameters, threads) as server:
        arguments = load_arguments(server, parameters["mode"], parameters) + ["--seconds", run.seconds, "--backend", run.load]
        with Load(run.build, arguments, threads) as load:
            before, load_before = server.account(), load.account()
            done = load.run(run.seconds)
            after, load_after = server.account(), load.account()
    units = done["units"]
    if units == 0:
        raise Failed("nothing came back")
    return {
        "rate": units / done["seconds"],
        "server_cpu_us": after.cpu_since(before) * 1e6 / units,
        "load_cpu_us": load_after.cpu_since(load_before) * 1e6 / units,
        "server_busy": after.busy_since(before, threads),
        "load_busy": load_after.busy_since(load_before, 1),
        "wire_out": done["sent"] / units,
        "wire_in": done["received"] / units,
    }


def idle(run, subject, parameters, threads, _):
    """What connections add to a server that has others, and has worked: what it takes once, whoever comes (buffers of its loops,
    codecs, data of libraries), is not a part of theirs."""
    with subject.server(parameters, threads) as server:
        others = load_arguments(server, "echo", {**parameters, **WARMING}) + ["--seconds", WARMING_SECONDS]
        with Load(run.build, others) as load:
            load.run(WARMING_SECONDS)
            before = server.private_bytes()
            with Load(run.build, load_arguments(server, "idle", parameters)):
                after = server.private_bytes()
    return {"bytes": (after - before) / parameters["connections"]}


def bench_options(parameters):
    options = ["--binary"]
    for name in "connections", "size", "depth":
        if name in parameters:
            options += [f"--{name}", parameters[name]]
    return options


def bench_by_count(run, url, options, count):
    """Its results, and how many µs of CPU it took for a message."""
    done = swale_bench(run.build, url, *options, "-n", count)
    own = done["generator"]
    return done, (own["user_seconds"] + own["system_seconds"]) * 1e6 / done["messages"]["received"]


def generator(run, subject, parameters, threads, _):
    """`swale bench` in a closed loop: for a short while, to learn the rate and to let the server get warm; with a message for each connection, for
    what it takes to open them; on a core of its own; and on a core that it shares with a process which does nothing but run.

    The server's CPU is that of the third without that of the second. Of the generator's (which leaves the opening out by itself) the lower counts:
    while it has time left it looks for answers more often, finds fewer at once and takes longer for each, until both sides take the same; so
    what it costs shows where it has none left."""
    with subject.server(parameters, threads) as server:
        url = f"ws://127.0.0.1:{server.port}/echo"
        options = bench_options(parameters)
        tried = swale_bench(run.build, url, *options, "--warm-up", "off", "-d", f"{max(int(run.seconds * 250), 200)}ms")
        few = parameters["connections"]
        count = max(int(tried["messages"]["per_second"] * run.seconds), 30 * few)
        accounts = [server.account()]
        bench_by_count(run, url, options, few)
        accounts.append(server.account())
        done, alone_us = bench_by_count(run, url, options, count)
        accounts.append(server.account())
        with Crowd(load_cores(1)):
            _, crowded_us = bench_by_count(run, url, options, count)
    opening, whole = (after.cpu_since(before) for before, after in itertools.pairwise(accounts))
    return {
        "rate": done["messages"]["per_second"],
        "server_cpu_us": (whole - opening) * 1e6 / (count - few),
        "load_cpu_us": min(alone_us, crowded_us),
        "server_busy": accounts[2].busy_since(accounts[1], threads),
        "load_busy": done["generator"]["busiest"],
    }


def latency(run, subject, parameters, threads, share):
    """An open loop at a share of what the base can do; the same messages a second for all."""
    offered = max(int(parameters["capacity"] * share / 100), 1)
    with subject.server(parameters, threads) as server:
        arguments = load_arguments(server, "open", parameters) + ["--rate", offered, "--seconds", run.seconds, "--backend", run.load]
        with Load(run.build, arguments) as load:
            done = load.run(run.seconds)
    figures = {"offered": float(offered), "rate": done["units"] / done["seconds"]}
    for name, value in done["latency_us"].items():
        figures[f"{name}_us"] = value
    figures["late_p99_us"] = done["late_p99_us"]
    return figures


WAYS = {"closed": closed, "idle": idle, "generator": generator, "latency": latency}


# ---- A cell


def threads_at(cell, x):
    return x if cell.axis == "threads" else 1


def parameters_at(cell, x):
    parameters = dict(cell.parameters)
    parameters.setdefault("mode", "fan-out" if "fan-out" in cell.needs else "echo")
    if cell.axis == "connections":
        parameters["connections"] = x
    return parameters


def capacity(run, base, parameters):
    """What the base echoes in a closed loop with as many connections, one message in flight on each."""
    return closed(run, base, {**parameters, "mode": "echo", "depth": 1}, 1, None)["rate"]


def spread(runs):
    return {"median": statistics.median(runs), "min": min(runs), "max": max(runs)}


def ratio(name, base, other):
    """How many times better the base is."""
    return base / other if name in RATES else other / base


def ratios(base_runs, runs):
    """Of every figure that is compared, and that is there, and not zero, in all runs."""
    pairs = list(zip(base_runs, runs))
    found = {}
    for name in runs[0]:
        if name not in NOT_COMPARED and all(base.get(name, 0) > 0 and other[name] > 0 for base, other in pairs):
            found[name] = spread([ratio(name, base[name], other[name]) for base, other in pairs])
    return found


def limit(figures, threads):
    """Which of the two the rate tells about: of two that take turns, the one with more to do for each message."""
    server, load = (figures[f"{name}_cpu_us"]["median"] for name in ("server", "load"))
    return "server" if load < NEARLY * server / threads else "load"


def point(x, runs, base_runs, threads):
    figures = {name: {**spread([run[name] for run in runs]), "runs": [run[name] for run in runs]} for name in runs[0]}
    result = {"x": x, "figures": figures}
    if runs is not base_runs:
        result["ratios"] = ratios(base_runs, runs)
    if "load_busy" in figures:
        result["limit"] = limit(figures, threads)
    return result


def take_turns(run, cell, subjects, skipped):
    """The figures of all runs: runs[subject][x]. A subject that fails once is out, and `skipped` says why."""
    xs = [x for x in cell.xs if cell.axis != "threads" or x <= len(CORES)]
    runs = {subject.name: {x: [] for x in xs} for subject in subjects}
    extra = {}
    turns = [(x, subject) for _ in range(run.rounds) for x in xs for subject in subjects]
    for x, subject in turns:
        if subject.name in skipped:
            continue
        try:
            if cell.way == "latency" and not extra:
                extra["capacity"] = capacity(run, subject, parameters_at(cell, x))
            figures = WAYS[cell.way](run, subject, {**parameters_at(cell, x), **extra}, threads_at(cell, x), x)
            runs[subject.name][x].append(figures)
        except Failed as why:
            skipped[subject.name] = f"failed: {why}"
            del runs[subject.name]
    return runs


def primitives(run):
    """What bench/micro prints, as it is."""
    process = start([f"{run.build}/bench/micro"], server_cores(1), stdout=subprocess.PIPE, text=True)
    text, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit("bench: micro failed")
    return text


def measure(run, cell, subjects):
    """The cell's part of the JSON: see the package's docstring."""
    measured = {"when": report.now(), "revision": run.revision, "rounds": run.rounds, "seconds": run.seconds}
    result = {"name": cell.name, "title": cell.title, "kind": cell.kind, "measured": measured}
    if cell.way == "micro":
        return {**result, "text": primitives(run)}
    asked = [subject for subject in subjects if not cell.only or subject.family in cell.only]
    skipped = {subject.name: why for subject in asked if (why := subject.lacks(cell))}
    taking = [subject for subject in asked if subject.name not in skipped]
    runs = take_turns(run, cell, taking, skipped)
    base = next(iter(runs), None)
    return {
        **result,
        "unit": cell.unit,
        "axis": cell.axis,
        "parameters": cell.parameters,
        "base": base,
        "skipped": skipped,
        "subjects": [{"name": name, "points": [point(x, runs[name][x], runs[base][x], threads_at(cell, x)) for x in runs[name]]} for name in runs],
    }
