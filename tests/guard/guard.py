#!/usr/bin/env python3
"""Counts the instructions of fixed work under callgrind and compares them with record.txt.

    guard.py PROGRAM              every count must be within 3% of the recorded one
    guard.py PROGRAM --record     the counts become the record
    guard.py PROGRAM NAME...      some works only (see guard_work's sources)

Instructions are not time, but they are the same in every run on every machine, so that a change which costs some is
seen in the change itself. A count that has fallen asks for a new record too: otherwise what was won could be lost
again unseen. The counts hold for one compiler, one C library and one level of the processor as valgrind shows it (which
is never AVX-512); elsewhere nothing is compared, and the test counts as skipped.

callgrind's files are kept beside the program, in guard/; `callgrind_annotate guard/NAME` tells what a work has cost where.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

RECORD = pathlib.Path(__file__).with_name("record.txt")
ROOM = 0.03
SKIPPED = 77

HEADER = """# Instructions per message, call or delivery, warm: what tests/guard counts. Written by ./dev guard --record
"""

# valgrind counts every byte of a `rep movsb` as an instruction; without ERMS the C library copies by vectors.
ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS"}


def run(program, name, out):
    """Does one work: its number of instructions for one unit, and what the program says it was built with."""
    out.unlink(missing_ok=True)
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=guard_measured", program, name]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"guard: {name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    built, work = done.stdout.splitlines()
    total = re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE)
    return int(total[1]) / int(work.split()[1]), built


def works(program):
    """The names of all works; the first line is about the program."""
    lines = subprocess.run([program], env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[0] for line in lines[1:]]


def read_record():
    lines = [line for line in RECORD.read_text().splitlines() if not line.startswith("#")]
    return lines[0], {name: float(count) for name, count in (line.split() for line in lines[1:])}


def write_record(built, counts):
    lines = [f"{name} {count:.1f}\n" for name, count in counts.items()]
    RECORD.write_text(HEADER + built + "\n" + "".join(lines))
    print(f"{RECORD}: {len(counts)} counts, {built}")


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def compare(counts, recorded):
    """Prints all of them; the number of those that are out of their room."""
    wrong = 0
    for name, count in counts.items():
        before = recorded.get(name)
        change = count / before - 1 if before else None
        verdict = "not recorded" if change is None else "more" if change > ROOM else "less" if change < -ROOM else ""
        wrong += verdict != ""
        print(f"{name:18} {count:10.1f} {before or 0:10.1f} {'' if change is None else f'{change:+8.1%}'}  {verdict}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")
    directory = options.program.parent / "guard"
    directory.mkdir(exist_ok=True)
    counts = {}
    for name in options.names or works(options.program):
        counts[name], built = run(options.program, name, directory / name)
    if options.record:
        if options.names:
            counts = {**read_record()[1], **counts}
        write_record(built, counts)
        return
    recorded_with, recorded = read_record()
    if built != recorded_with:
        skip(f"the record is {recorded_with}; this is {built}")
    wrong = compare(counts, recorded)
    if not options.names and recorded.keys() - counts.keys():
        sys.exit(f"guard: recorded, but no work any more: {', '.join(sorted(recorded.keys() - counts.keys()))}")
    if wrong:
        sys.exit(f"guard: {wrong} counts are more than {ROOM:.0%} away from the record. If that is right: ./dev guard --record")


main()
