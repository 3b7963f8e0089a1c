"""profile.py - where a server's time goes: in the kernel, in its own code, in libraries. With perf (linux-perf), which samples it under load.

    {"when", "machine", "swale", "cells": [{"name", "title", "subjects": [
        {"name", "cpu_us": for a message, "parts": {"kernel": µs, "libcrypto": µs, ...}, "most": [["function", µs], ...]}, ...]}, ...]}
"""

import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile

from . import cells, measure
from .loads import Load
from .processes import Failed, end, load_cores, start

CELLS = ["echo-20", "echo-20x32", "echo-1k", "echo-16k", "echo-1m", "tls-20", "tls-16k", "deflate-1k-shared", "handshake", "handshake-tls"]
SUBJECTS = ("swale", "bare-io_uring", "uws")
SECONDS = 2
SAMPLES = 4000  # a second
MOST = 8

# "    12.34%  libcrypto.so.3      [.] aes_gcm_enc_update  ..."
LINE = re.compile(r"\s*([\d.]+)%\s+(\S+)\s+\[.\]\s+(.+?)(?:\s+-\s+-)?\s*$")


def missing():
    return None if shutil.which("perf") else "there is no perf (Debian's package linux-perf)"


def part_of(binary, image):
    """Whose code it is, by the file that it lies in."""
    if image.startswith("["):
        return "kernel"
    return "own" if image == binary else image.split(".so")[0]


def read_report(path, binary):
    """The share of each part, and of each function."""
    command = ["perf", "report", "-i", path, "--stdio", "-g", "none", "--no-children", "--sort", "dso,symbol"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts, functions = collections.Counter(), collections.Counter()
    for line in text.splitlines():
        if found := LINE.match(line):
            share, part = float(found[1]) / 100, part_of(binary, found[2])
            parts[part] += share
            functions[(part, found[3])] += share
    if not parts:
        raise Failed("perf saw nothing")
    return parts, functions


def sample(process, path):
    command = ["perf", "record", "-q", "-F", SAMPLES, "-o", path, "-p", process.pid]
    return start(list(map(str, command)), load_cores(1), stderr=subprocess.DEVNULL)


def profile(run, subject, parameters):
    with subject.server(parameters, 1) as server, tempfile.TemporaryDirectory() as place:
        arguments = measure.load_arguments(server, parameters["mode"], parameters) + ["--seconds", SECONDS, "--backend", run.load]
        path = os.path.join(place, "perf.data")
        with Load(run.build, arguments) as load:
            sampling, before = sample(server.process, path), server.account()
            done = load.run(SECONDS)
            cpu_us = server.account().cpu_since(before) * 1e6 / done["units"]
            sampling.send_signal(signal.SIGINT)
            sampling.wait()
        parts, functions = read_report(path, os.path.basename(server.command[0]))
    return {
        "name": subject.name,
        "cpu_us": cpu_us,
        "parts": {part: share * cpu_us for part, share in parts.most_common()},
        "most": [[f"{name} ({part})", share * cpu_us] for (part, name), share in functions.most_common(MOST)],
    }


def show(done):
    print(f"\n{done['name']}: {done['title']}")
    for subject in done["subjects"]:
        parts = ", ".join(f"{part} {us:.3f}" for part, us in subject["parts"].items() if us >= subject["cpu_us"] / 100)
        print(f"  {subject['name']:16}{subject['cpu_us']:9.3f} µs: {parts}", flush=True)


def profile_all(run, subjects):
    done = []
    for cell in cells.choose(CELLS):
        parameters = measure.parameters_at(cell, None)
        taking = [subject for subject in subjects if subject.name in SUBJECTS and not subject.lacks(cell)]
        done.append({"name": cell.name, "title": cell.title, "subjects": [profile(run, subject, parameters) for subject in taking]})
        show(done[-1])
    return done
