"""table.py RESULTS PAGE [--write] - compares the table of docs/interop.md with what matrix_test.py has found, or writes
it. Versions may differ: Debian's move on."""

import json
import pathlib
import re
import sys

HEAD = ("| system | version | its client: plain | TLS | deflate | its server: plain | TLS | deflate | notes |\n"
        "|---|---|---|---|---|---|---|---|---|\n")
TABLE = re.compile(r"(?<=<!-- docs/make-interop writes this table -->\n).*?(?=<!-- end of the table -->)", re.S)


def cell(role, column):
    if not role:
        return " "
    return "yes" if role[column] else "no"


def row(result):
    cells = [cell(result[role], column) for role in ("client", "server") for column in ("plain", "TLS", "deflate")]
    return f"| {result['title']} | {result['version']} | {' | '.join(cells)} | {result['notes']} |\n"


def without_version(text):
    return re.sub(r"^(\|[^|]*\|)[^|]*\|", r"\1|", text, flags=re.M)


def main(results, page, *options):
    found = [json.loads(file.read_text()) for file in pathlib.Path(results).glob("*.json")]
    table = HEAD + "".join(row(result) for result in sorted(found, key=lambda result: result["title"].lower()))
    text = pathlib.Path(page).read_text()
    assert TABLE.search(text), f"{page} has no place for the table"
    if options == ("--write",):
        pathlib.Path(page).write_text(TABLE.sub(lambda _: table, text))
    elif without_version(TABLE.search(text)[0]) != without_version(table):
        sys.exit(f"{page} has another table (docs/make-interop writes it):\n{table}")


main(*sys.argv[1:])
