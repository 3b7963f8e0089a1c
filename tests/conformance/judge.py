#!/usr/bin/env python3
"""judge.py - judges a WebSocket peer by RFC 6455 and RFC 7692.

    judge.py server ws://host:port/echo       a server that sends every message back
    judge.py client -- COMMAND... {url}       a client that sends back what it receives (client_role.py says how it runs)
"""

import argparse
import asyncio
import fnmatch
import sys

from cases import load
from outcomes import FAIL, OK
from play import play_all
from report import by_section, expected, known_deviations, print_result, print_table, surprises
from server_role import ServerRole


def size(text):
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("peer", nargs="+", metavar="URL | COMMAND...")
    parser.add_argument("--case", action="append", metavar="GLOB", help="only these: 5.2/*, */ping-*")
    parser.add_argument("--limit", type=size, help="the size of the largest message that the peer takes")
    parser.add_argument("--known", metavar="FILE", help="the deviations that are known; any other result is a failure")
    parser.add_argument("--jobs", type=int, default=16, help="cases at a time (%(default)s)")
    parser.add_argument("--patience", type=float, default=5, help="seconds of silence until a case gives up (%(default)s)")
    parser.add_argument("--list", action="store_true", help="names the cases instead of playing them")
    parser.add_argument("-v", "--verbose", action="store_true", help="names each case as it is done")
    return parser.parse_args()


def chosen(sections, given):
    for section in sections:
        for case in section.cases:
            wanted = not given.case or any(fnmatch.fnmatch(case.id, glob) for glob in given.case)
            if wanted and case.possible(given.role, given.limit):
                yield case


def role_of(given):
    if given.role == "client":
        from client_role import ClientRole

        return ClientRole(given.peer, given.patience)
    return ServerRole(given.peer[0], given.patience)


def main():
    given = options()
    sections = load()
    cases = list(chosen(sections, given))
    if given.list:
        for case in cases:
            print(f"{case.id:<50} {case.rule}")
        return 0
    known = known_deviations(given.known) if given.known else []

    def tell(result):
        if result.status != OK and result.status not in expected(known, result.case):
            print_result(result)
        elif given.verbose:
            print(f"{result.status:<10} {result.case.id} ({result.seconds:.2f} s)", flush=True)

    results = asyncio.run(play_all(role_of(given), cases, given.limit, given.jobs, tell))
    print_table(by_section(sections, results))
    if given.known:
        found = surprises(results, known)
        print("".join(f"surprise: {surprise}\n" for surprise in found), end="")
        return 1 if found else 0
    return 1 if any(result.status == FAIL for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
