#!/usr/bin/env python3
"""judge.py - judges a WebSocket peer by RFC 6455 and RFC 7692.

    judge.py server ws://host:port/echo       a server that sends every message back
    judge.py client -- COMMAND...             a client that reads lines, and echoes at the URL in each (client_role.py)
    judge.py client -- COMMAND... {url}       a client that echoes at this URL, and ends
"""

import argparse
import asyncio
import dataclasses
import fnmatch
import sys

from cases import load
from outcomes import FAIL
from play import play_all
from report import by_section, expected, known_deviations, print_table, surprises, teller
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
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="files: the client shall come by TLS")
    parser.add_argument("--jobs", type=int, default=16, help="cases at a time (%(default)s)")
    parser.add_argument("--patience", type=float, default=5, help="seconds of silence until a case gives up (%(default)s)")
    parser.add_argument("--list", action="store_true", help="names the cases instead of playing them")
    parser.add_argument("-v", "--verbose", action="store_true", help="names each case as it is done")
    return parser.parse_args()


def chosen(role, limit, globs=None):
    """The cases for that role, of those ids."""
    for section in load():
        for case in section.cases:
            wanted = not globs or any(fnmatch.fnmatchcase(case.id, glob) for glob in globs)
            if wanted and case.possible(role, limit):
                yield case


def role_of(given):
    if given.role == "client":
        from client_role import ClientRole

        return ClientRole(given.peer, given.patience, tls=given.tls)
    return ServerRole(given.peer[0], given.patience)


async def play(role, cases, limit, jobs, tell, is_known):
    """With `is_known`, what it does not know is played once more, by itself."""
    try:
        results = await play_all(role, cases, limit, jobs, tell)
        if is_known:
            odd = [result.case for result in results if not is_known(result)]
            again = {result.case.id: result for result in await play_all(role, odd, limit, 1, tell)}
            results = [again.get(result.case.id, result) for result in results]
        return results
    finally:
        await role.end()


def with_chance_removed(result, deviations):
    """What is left to chance counts as the worst that is known of it, so that a table does not change."""
    statuses = expected(deviations, result.case)
    return dataclasses.replace(result, status=statuses[-1]) if result.status in statuses else result


def judge(role, cases, limit=None, jobs=16, known=None, verbose=False, races=False):
    """Plays the cases, prints what is to be seen, and returns whether the peer is as it should be, and the results by
    section. A peer with `races`, of which one case in many thousands tells something else than usual, and which is not ours to
    mend, gets a second chance there."""
    deviations = known_deviations(known) if known else []

    def is_known(result):
        return result.status in expected(deviations, result.case)

    results = asyncio.run(play(role, cases, limit, jobs, teller(deviations, verbose), is_known if races else None))
    table = by_section(load(), [with_chance_removed(result, deviations) for result in results])
    print_table(table)
    if not known:
        return not any(result.status == FAIL for result in results), table
    found = surprises(results, deviations)
    print("".join(f"surprise: {surprise}\n" for surprise in found), end="")
    return not found, table


def main():
    given = options()
    cases = list(chosen(given.role, given.limit, given.case))
    if given.list:
        for case in cases:
            print(f"{case.id:<50} {case.rule}")
        return 0
    good, _ = judge(role_of(given), cases, given.limit, given.jobs, given.known, given.verbose)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
