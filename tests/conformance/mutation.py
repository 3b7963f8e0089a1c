"""mutation.py - does the suite catch peers that are broken, and no others? What mutants_test.py and mutant_clients_test.py share.

Every case is played on the strict peer, which must pass; on each mutant those that are about its rule, some of which must fail; on
each variant, which does what the RFCs leave open, those that could take it amiss, none of which may fail."""

import asyncio
import fnmatch

from cases import load
from outcomes import FAIL, OK
from report import by_section, print_result, print_table

# A mutant that is silent where it should speak costs this much; whoever should pass gets the other.
PATIENCE, STRICT_PATIENCE = 1, 10


def ignore(result):
    pass


def tell(result):
    if result.status != OK:
        print_result(result)


def say(word, kind, wrong, results):
    first = wrong[0].case.id if wrong else ""
    print(f"{word:<10}{kind.name:<40}{len(wrong):>4} of {len(results):<5} {first}".rstrip(), flush=True)


class Mutation:
    """`play(kind, cases, patience, tell)` plays cases on a peer of that kind; `together` so many peers at a time."""

    def __init__(self, role, strict, play, together):
        self.sections = load()
        self.cases = [case for section in self.sections for case in section.cases if case.possible(role, strict.limit)]
        self.strict = strict
        self.play = play
        self.room = asyncio.Semaphore(together)

    async def judge_strict(self):
        results = await self.play(self.strict, self.cases, STRICT_PATIENCE, tell)
        print_table(by_section(self.sections, results))
        return all(result.status == OK for result in results)

    async def play_on(self, kind, patience):
        chosen = [case for case in self.cases if any(fnmatch.fnmatchcase(case.id, glob) for glob in kind.cases)]
        async with self.room:
            return await self.play(kind.kind, chosen, patience, ignore)

    async def judge_mutant(self, mutant):
        results = await self.play_on(mutant, PATIENCE)
        wrong = [result for result in results if result.status == FAIL or (mutant.should and result.status != OK)]
        say("caught" if wrong else "MISSED", mutant, wrong, results)
        return bool(wrong)

    async def judge_variant(self, variant):
        results = await self.play_on(variant, STRICT_PATIENCE)
        wrong = [result for result in results if result.status == FAIL]
        for result in wrong:
            print_result(result)
        say("MISJUDGED" if wrong else "passed", variant, wrong, results)
        return bool(results) and not wrong

    async def judge(self, names, mutants, variants):
        """All of them, or those of these names."""

        async def each(judge_one, kinds):
            return await asyncio.gather(*[judge_one(kind) for name, kind in kinds.items() if not names or name in names])

        good = True if names else await self.judge_strict()
        passed = await each(self.judge_variant, variants)
        caught = await each(self.judge_mutant, mutants)
        print(f"\n{sum(passed)} of {len(passed)} variants passed, {sum(caught)} of {len(caught)} mutants caught")
        return good and bool(passed or caught) and all(passed) and all(caught)
