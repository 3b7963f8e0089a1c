#!/usr/bin/env python3
"""Line and branch coverage by layer: measure.py BUILD [--layer LAYER] [--quick]

BUILD is a build of the preset `coverage`. First each layer's unit tests run alone, which tells what the layer's own tests reach;
then the program's tests that are quick, the rest of the proof for the layers that need the whole program. What reaches the kernel
runs with each backend of the loop. The table goes to docs/proof/coverage.md, between its marks. Fails when a layer is under its
floor.

With --layer, only that layer's unit tests run, and each branch that they leave is printed; nothing is written. --gaps prints
the same for all that was measured last, without running anything.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs/proof/coverage.md"
BEGIN, END = "<!-- begin: ./dev coverage -->\n", "<!-- end: ./dev coverage -->\n"

LAYERS = ["base", "proto", "io", "conn", "server", "hub", "client", "app"]
# What a layer must have, in percent: of lines, of branches. base and proto by their own tests alone.
ALONE = {"base", "proto"}
# Layers that do not know how the loop waits for the kernel.
WITHOUT_KERNEL = {"base", "proto", "conn"}
FLOORS = {layer: (98, 98) if layer in ALONE else (90, 90) for layer in LAYERS}
# The program's own tests; hostile peers, and a kernel that fails, which reach what well-behaved ones do not. Not those whose
# time is the point.
PROGRAM = r"^(app\.(completion|connect|prompt|serve|bench|torture)|hostile\.(http|frame|close|deflate|tls|client-.*)|faults\.(calls|ring))$"
SLOW = r"^hostile\.client-(time|flood)$"


# The rules by which a branch does not count, apart from assert, which the build leaves out (NDEBUG): the machine on which
# this runs decides it, and has one answer only.
NOT_COUNTED = re.compile(r"__builtin_cpu_supports\(")


def backends(build):
    """Those that work here."""
    return subprocess.run([pathlib.Path(build) / "tests/lib/backends"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def run_tests(build, backend, *choice):
    command = ["ctest", "--test-dir", build, "--no-tests=error", "--output-on-failure", "-j", "2", *choice]
    done = subprocess.run(command, env={**os.environ, "SWALE_BACKEND": backend}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.stdout + f"\ncoverage: the tests fail with {backend}; no figures")


def clear(build):
    for file in pathlib.Path(build).rglob("*.gcda"):
        file.unlink()


def collect(build, name):
    """What has run since clear(), as gcovr's JSON in BUILD/coverage-NAME.json."""
    output = pathlib.Path(build) / f"coverage-{name}.json"
    subprocess.run(["gcovr", "--root", PROJECT, "--filter", f"{PROJECT}/src/", "--json", output, "-j", "2",
                    pathlib.Path(build) / "src", pathlib.Path(build) / "tests"], check=True, stderr=subprocess.DEVNULL)


def counts(build, names):
    """{file: {line: (count, [branch counts])}} of some collections added up."""
    files = {}
    for name in names:
        for file in json.loads((pathlib.Path(build) / f"coverage-{name}.json").read_text())["files"]:
            lines = files.setdefault(file["file"], {})
            source = (PROJECT / file["file"]).read_text().splitlines()
            for line in file["lines"]:
                if line.get("gcovr/noncode"):
                    continue
                count, branches = lines.get(line["line_number"], (0, []))
                counted = not NOT_COUNTED.search(source[line["line_number"] - 1])
                added = [branch["count"] for branch in line["branches"]] if counted else []
                branches = [sum(pair) for pair in zip(branches, added)] if branches and added else branches or added
                lines[line["line_number"]] = (count + line["count"], branches)
    return files


def of_layer(files, layer):
    return {name: lines for name, lines in files.items() if name.startswith(f"src/{layer}/")}


def figures(files):
    """(lines, reached), (branches, taken)"""
    lines = [line for file in files.values() for line in file.values()]
    branches = [count for _, counts in lines for count in counts]
    return (len(lines), sum(count > 0 for count, _ in lines)), (len(branches), sum(count > 0 for count in branches))


def percent(all_of_it, reached):
    return 100 * reached / all_of_it if all_of_it else 100


def print_gaps(files):
    for name, lines in sorted(files.items()):
        (_, _), (branches, taken) = figures({name: lines})
        missed = [(number, line) for number, line in sorted(lines.items()) if not line[0] or 0 in line[1]]
        if not missed:
            continue
        source = (PROJECT / name).read_text().splitlines()
        print(f"{name}: {taken} of {branches} branches")
        for number, (count, branches) in missed:
            marks = "".join("+" if branch else "-" for branch in branches) if count else "never"
            print(f"  {number:4} {marks:8} {source[number - 1].strip()}")


def table(alone, together):
    rows = ["| layer | lines | of them by its own unit tests | branches | of them by its own unit tests |", "|---|---|---|---|---|"]
    for layer in LAYERS:
        own = figures(of_layer(alone[layer], layer))
        best = figures(of_layer(together, layer))
        cells = []
        for (size, reached), (_, by_own) in zip(best, own):
            shown = "" if layer in ALONE else f"{percent(size, reached):.1f} % of {size}"
            cells += [shown or f"{size}", f"{percent(size, by_own):.1f} %"]
        rows.append(f"| {layer} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def write_page(text):
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + text + END + rest.split(END)[1])


def judge(alone, together):
    low = []
    for layer in LAYERS:
        measured = figures(of_layer(alone[layer] if layer in ALONE else together, layer))
        for what, floor, (size, reached) in zip(("lines", "branches"), FLOORS[layer], measured):
            if percent(size, reached) < floor:
                low.append(f"{layer}: {percent(size, reached):.1f} % of {what}, under {floor} %")
    if low:
        sys.exit("coverage: " + "\n".join(low))


def measure_layer(build, layer):
    clear(build)
    for backend in backends(build)[-1:] if layer in WITHOUT_KERNEL else backends(build):
        run_tests(build, backend, "-L", "unit", "-R", rf"^{layer}\.")
    collect(build, layer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--layer", choices=LAYERS)
    parser.add_argument("--gaps", action="store_true")
    options = parser.parse_args()
    if options.layer and not options.gaps:
        measure_layer(options.build, options.layer)
        print_gaps(of_layer(counts(options.build, [options.layer]), options.layer))
        return
    if not options.gaps:
        for layer in LAYERS:
            measure_layer(options.build, layer)
        clear(options.build)
        for backend in backends(options.build):
            run_tests(options.build, backend, "-L", "program", "-R", PROGRAM, "-E", SLOW)
        collect(options.build, "program")
    alone = {layer: counts(options.build, [layer]) for layer in LAYERS}
    together = counts(options.build, [*LAYERS, "program"])
    if options.gaps:
        for layer in [options.layer] if options.layer else LAYERS:
            print_gaps(of_layer(alone[layer] if layer in ALONE else together, layer))
        return
    text = table(alone, together)
    print(text)
    write_page(text)
    judge(alone, together)


main()
