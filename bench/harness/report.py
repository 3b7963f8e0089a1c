"""report.py - the table for people, and the JSON for programs."""

import json
import os
import platform
import subprocess
import sys
import time

LEAST = "least CPU"  # of the runs: what others on the machine have disturbed least
COLUMNS = {
    "rate": ["rate", "server_cpu_us", LEAST, "load_cpu_us"],
    "latency": ["offered", "rate", "p50_us", "p90_us", "p99_us", "p99.9_us", "p99.99_us", "max_us", "late_p99_us"],
    "memory": ["bytes"],
}
COMPARED = {"rate": ("rate", "server_cpu_us"), "latency": ("p50_us", "p99_us"), "memory": ("bytes",)}
HEADS = {
    "rate": "{unit}/s",
    "offered": "offered/s",
    "server_cpu_us": "CPU µs",
    LEAST: "least",
    "load_cpu_us": "load's",
    "bytes": "bytes",
    "wire_in": "wire B",
}
LIMITS = {"server": "", "load": "the load was the limit"}


def number(value):
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def columns_of(cell):
    columns = list(COLUMNS[cell["kind"]])
    if cell["parameters"].get("deflate", "none") != "none" and cell["kind"] == "rate":
        columns.append("wire_in")
    return columns


def ratio_text(ratio):
    return f"{ratio['median']:.2f}x ({ratio['min']:.2f}-{ratio['max']:.2f})"


def figure_text(figures, name):
    if name == LEAST:
        return number(figures["server_cpu_us"]["min"])
    return number(figures[name]["median"]) if name in figures else "-"


def row(subject, point, columns, compared):
    """A figure, and behind it the ratio where it is compared."""
    cells = [subject if point["x"] is None else f"{subject} @{point['x']}"]
    for name in columns:
        cells.append(figure_text(point["figures"], name))
        if name in compared:
            ratio = point.get("ratios", {}).get(name)
            cells.append(ratio_text(ratio) if ratio else "")
    cells.append(LIMITS[point["limit"]] if "limit" in point else "")
    return cells


def head(cell, columns, compared):
    cells = [cell["base"] + " is so many times better:" if len(cell["subjects"]) > 1 else ""]
    for name in columns:
        cells.append(HEADS.get(name, name.replace("_us", " µs").replace("late_", "late ")).format(unit=cell["unit"]))
        if name in compared:
            cells.append("")
    return [*cells, ""]


def table(cell):
    columns, compared = columns_of(cell), COMPARED[cell["kind"]]
    rows = [head(cell, columns, compared)]
    for subject in cell["subjects"]:
        rows += [row(subject["name"], point, columns, compared) for point in subject["points"]]
    widths = [max(len(line[n]) for line in rows) for n in range(len(rows[0]))]
    return ["  ".join([line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))]).rstrip() for line in rows]


def show(cell):
    print(f"\n{cell['name']}: {cell['title']}")
    if "text" in cell:
        print(cell["text"], end="", flush=True)
        return
    if cell["subjects"]:
        print("\n".join("  " + line for line in table(cell)))
    for name, why in cell["skipped"].items():
        print(f"  {name}: {why}")
    sys.stdout.flush()


# ---- The JSON


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def machine():
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
    }


def output_of(command, **options):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options).stdout.strip()
    except OSError:
        return ""


def revision():
    """Of the tree, with "-dirty" behind it where something that is measured differs."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    name = output_of(["git", "rev-parse", "--short", "HEAD"], cwd=root)
    measured = ["CMakeLists.txt", "cmake", "include", "src", "bench", ":!bench/results"]
    return name + ("-dirty" if name and output_of(["git", "status", "--porcelain", "--", *measured], cwd=root) else "")


def swale(build, at=None):
    version = output_of([f"{build}/swale", "--version"]).split()
    return {"version": version[-1] if version else "", "revision": at or revision()}


def heading(build, at=None):
    """What every file of results begins with."""
    return {"format": 2, "when": now(), "machine": machine(), "swale": swale(build, at)}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def document(run, quick, subjects, missing, cells):
    return {
        **heading(run.build, run.revision),
        "command": " ".join(sys.argv),
        "settings": {"load": run.load, "quick": quick},
        "subjects": subjects,
        "missing": missing,
        "cells": cells,
    }


def write(path, whole):
    """All or nothing: whoever reads it meanwhile finds the one before."""
    with open(path + ".new", "w") as f:
        json.dump(whole, f, indent=1)
        f.write("\n")
    os.replace(path + ".new", path)
