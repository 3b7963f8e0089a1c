"""mutant_clients_test.py - does the suite catch clients that are broken? As mutants_test.py does for servers.
mutant_clients_test.py [MUTANT...]"""

import asyncio
import fnmatch
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))

from cases import CLIENT, load
from client_mutants import MUTANTS
from client_role import ClientRole
from outcomes import FAIL, OK
from play import play_all
from report import by_section, print_result, print_table
from strict_client import Client, Visitor

JOBS = 32
TOGETHER = 6  # mutants at a time
# A mutant that is silent where it should speak costs this much.
PATIENCE = 1


async def play(kind, cases, patience, tell=lambda result: None):
    role = ClientRole([], patience, make=lambda: Visitor(kind))
    try:
        return await play_all(role, cases, Client.limit, JOBS, tell)
    finally:
        await role.end()


def tell(result):
    if result.status != OK:
        print_result(result)


async def judge_strict(sections, cases):
    results = await play(Client, cases, 10, tell)
    print_table(by_section(sections, results))
    return all(result.status == OK for result in results)


async def judge_mutant(mutant, cases, room):
    chosen = [case for case in cases if any(fnmatch.fnmatchcase(case.id, glob) for glob in mutant.cases)]
    async with room:
        results = await play(mutant.kind, chosen, PATIENCE)
    wrong = [result for result in results if result.status == FAIL or (mutant.should and result.status != OK)]
    first = wrong[0].case.id if wrong else "NOTHING"
    print(f"{'caught' if wrong else 'MISSED':<8}{mutant.name:<40}{len(wrong):>4} of {len(results):<5} {first}", flush=True)
    return bool(wrong)


async def main(names):
    sections = load()
    cases = [case for section in sections for case in section.cases if case.possible(CLIENT, Client.limit)]
    good = True if names else await judge_strict(sections, cases)
    print()
    room = asyncio.Semaphore(TOGETHER)
    caught = await asyncio.gather(*[judge_mutant(MUTANTS[name], cases, room) for name in names or MUTANTS])
    print(f"\n{sum(caught)} of {len(caught)} mutants caught")
    return good and all(caught)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(sys.argv[1:])) else 1)
