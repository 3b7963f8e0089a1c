"""table.py - the tables of results in docs/conformance.md: checked against what was found, or renewed.

A table stands behind a line <!-- table: server -->. Its rows are sections, its columns peers; a cell is the number of cases,
with the number of those that are not "ok" behind it."""

import pathlib

from outcomes import DECLINED, FAIL, NON_STRICT

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "conformance.md"


def cell(counts):
    others = [f"{counts[status]} {status}" for status in (NON_STRICT, DECLINED, FAIL) if counts[status]]
    return f"{sum(counts.values())}: {', '.join(others)}" if others else str(sum(counts.values()))


def cells(line):
    return [part.strip() for part in line.strip().strip("|").split("|")]


def read(name):
    """(the lines before it, {column: {section: cell}}, the lines behind it)"""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    begin = lines.index(f"<!-- table: {name} -->") + 1
    end = next((at for at in range(begin, len(lines)) if not lines[at].startswith("|")), len(lines))
    heads, rows = cells(lines[begin])[1:], [cells(line) for line in lines[begin + 2 : end]]
    columns = {head: {row[0]: row[at] for row in rows} for at, head in enumerate(heads, 1)}
    return lines[:begin], columns, lines[end:]


def write(before, columns, behind, sections):
    names = [f"{section.number} {section.title}" for section in sections] + ["all"]
    rows = [["section", *columns], ["---"] * (len(columns) + 1)]
    rows += [[name, *[column.get(name, "") for column in columns.values()]] for name in names]
    lines = ["| " + " | ".join(row) + " |" for row in rows if any(row[1:])]
    DOCUMENT.write_text("\n".join([*before, *lines, *behind]) + "\n", encoding="utf-8")


def found(counted):
    """The column that these results make."""
    column = {f"{section.number} {section.title}": cell(counts) for section, counts in counted}
    sums = {status: sum(counts[status] for _, counts in counted) for status in counted[0][1]}
    return {**column, "all": cell(sums)}


def checked(name, peer, counted, sections, renew):
    """Does the document say what was found? With `renew` it does afterwards."""
    before, columns, behind = read(name)
    column = found(counted)
    if renew:
        columns[peer] = column
        write(before, columns, behind, sections)
        return True
    told = {section: text for section, text in columns.get(peer, {}).items() if text}
    for section in sorted({*told, *column}):
        if told.get(section) != column.get(section):
            print(f"docs/conformance.md: {section}, {peer}: {told.get(section)}, but it is {column.get(section)}")
    if told != column:
        print("(run this test with --write to renew the table)")
    return told == column
