#!/usr/bin/python3
"""What the documents and the headers' comments name is there: functions, types, constants, options, limits, reasons."""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ["PROJECT"])
HEADERS = sorted((ROOT / "include/swale").glob("*.h"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/howto").glob("*.md")]
# Not names of the interface: variables of the build and of the tests, parts of names, targets of CMake.
OTHER = re.compile(r"SWALE_(WERROR|SANITIZE|TESTS|EXAMPLES|BENCH|FUZZ|PROGRAM|SANITIZED|BACKEND)$|swale_(static|shared)$|swale__|\w*_$")

faults = []


def complain(page, what):
    faults.append(f"{page.relative_to(ROOT)}: {what}")


def identifiers(text):
    return set(re.findall(r"\b(?:swale|SWALE)_[A-Za-z0-9_]+", text))


def errors():
    """name -> the numbers that stand for it on the wire."""
    table = re.findall(r'X\(-\d+, (\w+), (\d+), (\d+), "(.*?)"', (ROOT / "include/swale/base.h").read_text())
    return {f"SWALE_ERR_{name}" for name, *_ in table}, {label: {http, close} for _, http, close, label in table}


def without_comments(source):
    return re.sub(r"/\*.*?\*/", "", source, flags=re.S)


codes, reasons = errors()
declared = codes | identifiers(" ".join(without_comments(header.read_text()) for header in HEADERS))

for page in [*HEADERS, *PAGES]:
    for name in identifiers(page.read_text()) - declared:
        if not OTHER.match(name):
            complain(page, f"nothing is called {name}")

# Options: each subcommand's manual has all of them and no other; pages name only those that there are.
every = {"help", "version"}
for source in sorted((ROOT / "src/app").glob("*/*_options.c")):
    command = source.parent.name
    options = set(re.findall(r'^    \{ "([a-z-]+)",', source.read_text(), re.M))
    manual = ROOT / f"docs/man/swale-{command}.1"
    described = set(re.findall(r"^\.It (?:Fl \w , )?Fl -([a-z-]+)", manual.read_text(), re.M))
    for name in options ^ described:
        complain(manual, f"--{name} is {'not described' if name in options else 'no option'}")
    for page in PAGES:
        for line in re.findall(rf"swale {command}.*", page.read_text()):
            for name in set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", line)) - options:
                complain(page, f"swale {command} has no option --{name}")
    every |= options
for page in PAGES:
    for line in re.findall(r"`--[a-z].*", page.read_text()):
        for name in set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", line)) - every:
            complain(page, f"no command has an option --{name}")

# The tables of limits: each field exists, each reason goes with its number.
limits = ROOT / "docs/howto/limits.md"
fields = set(re.findall(r"\b([a-z_]+);", " ".join(header.read_text() for header in HEADERS)))
for row in re.findall(r"^\| `.*", limits.read_text(), re.M):
    name = re.match(r"\| `(\w+)`", row)[1]
    if name not in fields:
        complain(limits, f"no field is called {name}")
for label, number in re.findall(r"`([a-z-]+)`, (\d{3,4})", limits.read_text()):
    if number not in reasons.get(label, ()):
        complain(limits, f"{label} does not go with {number}")

sys.exit("\n".join(faults) or 0)
