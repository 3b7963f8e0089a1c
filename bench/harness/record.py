"""record.py - renews bench/results, which docs/performance.md is made from: every cell, with the rounds that it is worth.

    cells.json      Swale and the others
    backends.json   the same cells, with Swale on io_uring against Swale on epoll
    micro.json      what bench/micro measures: {"when", "machine", "swale", "primitives": [{"cell", "bytes", "ns"}, ...]}
    scale.json      what bench/scale.py does
    profile.json    where the time goes, by bench/harness/profile.py

The first two are as bench/harness/__init__.py tells. What is not measured again stays as it is.
"""

import functools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from fnmatch import fnmatch

from . import cells, measure, profile, report
from .processes import server_cores, start

# Of whom the page has more than a row in the table of the others.
MAIN = ("swale", "bare-epoll", "bare-io_uring", "uws")
SECURE = ("swale", "uws", "libwebsockets", "beast", "gorilla")


@dataclass(frozen=True)
class Part:
    cells: tuple  # patterns
    rounds: int
    seconds: float
    subjects: tuple = ()  # all
    file: str = "cells"
    backends: tuple = ("auto",)

    def label(self, cell):
        """How the command line knows it."""
        return cell.name if self.file == "cells" else f"{self.file}:{cell.name}"


BOTH = {"file": "backends", "backends": ("io_uring", "epoll"), "subjects": ("swale-io_uring", "swale-epoll")}

PARTS = [
    Part(("echo-16k-ascii", "echo-16k-cjk"), 3, 0.8, MAIN),
    Part(("echo-*",), 3, 0.8),
    Part(("tls-*", "handshake*"), 3, 0.8, SECURE),
    Part(("deflate-*",), 3, 0.8),
    Part(("fanout-10000",), 3, 0.8, MAIN),
    Part(("fanout-*",), 3, 0.8),
    Part(("latency",), 3, 0.8, (*MAIN, "beast")),
    Part(("threads", "generator-*"), 2, 0.5),
    Part(("connections",), 2, 0.5, MAIN),
    Part(("idle*",), 1, 0.5, (*SECURE, "ws")),
    Part(("echo-*", "tls-*", "deflate-*", "fanout-*", "handshake*", "latency"), 3, 0.5, **BOTH),
]


def chosen_by(patterns, label):
    return not patterns or any(fnmatch(label, pattern) for pattern in patterns)


def planned(patterns):
    """(part, cell) for each cell, which belongs to the first part of its file that has it."""
    seen = set()
    for part in PARTS:
        for cell in cells.CELLS:
            label = part.label(cell)
            if label not in seen and any(fnmatch(cell.name, pattern) for pattern in part.cells):
                seen.add(label)
                if chosen_by(patterns, label):
                    yield part, cell


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {"cells": []}


def merge(path, document):
    """The cells that are in the file and not measured now stay, in the order of the table."""
    new = {cell["name"]: cell for cell in document["cells"]}
    old = {cell["name"]: cell for cell in read(path)["cells"]}
    order = [cell.name for cell in cells.CELLS]
    document["cells"] = sorted({**old, **new}.values(), key=lambda cell: order.index(cell["name"]))
    report.write(path, document)


class Recorder:
    """`gather` gives the subjects that are there, and why others are not, for the backends that are asked for."""

    def __init__(self, options, load, gather):
        self.options, self.load = options, load
        self.gather = functools.lru_cache(gather)
        self.revision = report.revision()
        self.failed = []

    def path(self, name):
        return os.path.join(self.options.record, f"{name}.json")

    def cell(self, part, cell):
        options = self.options
        run = measure.Run(options.build, options.rounds or part.rounds, options.seconds or part.seconds, self.load, self.revision)
        subjects, missing = self.gather(part.backends)
        described = {subject.name: subject.describe() for subject in subjects}
        taking = [subject for subject in subjects if not part.subjects or subject.name in part.subjects]
        done = measure.measure(run, cell.quickly() if options.quick else cell, taking)
        report.show(done)
        merge(self.path(part.file), report.document(run, options.quick, described, missing, [done]))
        if any(why.startswith("failed") for why in done["skipped"].values()):
            self.failed.append(part.label(cell))

    def micro(self):
        process = start([f"{self.options.build}/bench/micro", "--json"], server_cores(1), stdout=subprocess.PIPE, text=True)
        text, _ = process.communicate()
        if process.returncode != 0:
            raise SystemExit("bench: micro failed")
        report.write(self.path("micro"), {**report.heading(self.options.build, self.revision), "primitives": json.loads(text)})

    def scale(self):
        scale = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scale.py")
        quick = ["--quick", "--connections", "1000", "--rounds", "2"] if self.options.quick else []
        subprocess.run([sys.executable, scale, "--json", self.path("scale"), *quick, self.options.build], check=True)


    def profile(self):
        if why := profile.missing():
            print(f"skipped: {why}")
            return
        run = measure.Run(self.options.build, 1, profile.SECONDS, self.load, self.revision)
        subjects, _ = self.gather(("auto",))
        report.write(self.path("profile"), {**report.heading(self.options.build, self.revision), "cells": profile.profile_all(run, subjects)})


def record(options, load, gather):
    """Returns the names of cells in which something failed."""
    recorder, began = Recorder(options, load, gather), time.monotonic()
    for part, cell in planned(options.cells):
        recorder.cell(part, cell)
    for name in "micro", "profile", "scale":
        if chosen_by(options.cells, name):
            print(f"\n{name}", flush=True)
            getattr(recorder, name)()
    print(f"\n{(time.monotonic() - began) / 60:.1f} minutes. Now docs/make-performance.")
    return recorder.failed
