"""mutants_test.py - does the suite catch what is broken, and nothing else? Every case is played on the strict echo server, which
must pass; on each mutant those that are about its rule, some of which must fail; on each variant, which does what the RFCs
leave open, those that could take it amiss, none of which may fail. mutants_test.py [NAME...]"""

import asyncio
import fnmatch
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))

from cases import SERVER, load
from mutants import MUTANTS, VARIANTS
from outcomes import FAIL, OK
from play import play_all
from report import by_section, print_result, print_table
from server_role import ServerRole
from strict import Echo, serve

JOBS = 32
TOGETHER = 12  # mutants at a time
# A mutant that is silent where it should speak costs this much.
PATIENCE = 1


async def play(kind, cases, patience, tell=lambda result: None):
    server = await serve(kind)
    port = server.sockets[0].getsockname()[1]
    try:
        return await play_all(ServerRole(f"ws://127.0.0.1:{port}/echo", patience), cases, Echo.limit, JOBS, tell)
    finally:
        server.close()


def tell(result):
    if result.status != OK:
        print_result(result)


async def judge_strict(sections, cases):
    results = await play(Echo, cases, 10, tell)
    print_table(by_section(sections, results))
    return all(result.status == OK for result in results)


async def play_on(mutant, cases, patience, room):
    chosen = [case for case in cases if any(fnmatch.fnmatchcase(case.id, glob) for glob in mutant.cases)]
    async with room:
        return await play(mutant.kind, chosen, patience)


def say(word, mutant, wrong, results):
    first = wrong[0].case.id if wrong else ""
    print(f"{word:<10}{mutant.name:<36}{len(wrong):>4} of {len(results):<5} {first}".rstrip(), flush=True)


async def judge_mutant(mutant, cases, room):
    results = await play_on(mutant, cases, PATIENCE, room)
    wrong = [result for result in results if result.status == FAIL or (mutant.should and result.status != OK)]
    say("caught" if wrong else "MISSED", mutant, wrong, results)
    return bool(wrong)


async def judge_variant(variant, cases, room):
    results = await play_on(variant, cases, 10, room)
    wrong = [result for result in results if result.status == FAIL]
    for result in wrong:
        print_result(result)
    say("MISJUDGED" if wrong else "passed", variant, wrong, results)
    return bool(results) and not wrong


async def main(names):
    sections = load()
    cases = [case for section in sections for case in section.cases if case.possible(SERVER, Echo.limit)]
    room = asyncio.Semaphore(TOGETHER)

    async def all_of(judge_one, kinds):
        chosen = [kind for name, kind in kinds.items() if not names or name in names]
        return await asyncio.gather(*[judge_one(kind, cases, room) for kind in chosen])

    good = True if names else await judge_strict(sections, cases)
    passed = await all_of(judge_variant, VARIANTS)
    caught = await all_of(judge_mutant, MUTANTS)
    print(f"\n{sum(passed)} of {len(passed)} variants passed, {sum(caught)} of {len(caught)} mutants caught")
    return good and all(passed) and all(caught)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(sys.argv[1:])) else 1)
