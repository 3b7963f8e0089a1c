"""play.py - plays cases, many at a time, and judges what was seen."""

import asyncio
import dataclasses
import time

from outcomes import DECLINED, FAIL, NON_STRICT, OK

LONGEST = 60  # seconds for one case, whatever happens in it


@dataclasses.dataclass
class Result:
    case: object
    status: str
    sent: str
    allowed: str
    seen: str
    seconds: float


async def finish(role, case, link):
    """When the script is done: hangs up where the outcome says so, and waits for the end."""
    seen, outcome = link.seen, case.outcome
    if not link.listener:
        return
    if outcome.hangs_up and not link.close_sent:
        await link.until(lambda seen: outcome.satisfied(seen) or seen.close)
        if not seen.close and not seen.end:
            await link.hang_up()
    await link.until(lambda seen: seen.close or outcome.doomed(seen))
    if seen.close:
        if role.ends_tcp and link.close_sent:
            await link.flush()
            link.half_close()
        await link.until(lambda seen: False)


def judge(case, seen):
    if seen.violations:
        return FAIL
    if seen.declined:
        return DECLINED
    status = case.outcome.fits(seen) or FAIL
    return NON_STRICT if status == OK and seen.late else status


async def play_one(role, case, limit):
    began = time.monotonic()
    script = case.prepare(limit)
    try:
        seen = await asyncio.wait_for(role.play(case, script), LONGEST)
        status, shown = judge(case, seen), str(seen)
    except (OSError, TimeoutError) as error:
        status, shown = FAIL, f"{type(error).__name__} {error}"
    detail = (str(script), str(case.outcome), shown) if status != OK else ("", "", "")
    return Result(case, status, *detail, time.monotonic() - began)


async def play_all(role, cases, limit, jobs, tell):
    """The results, in the order of the cases. Large ones go last, one at a time."""
    room = asyncio.Semaphore(jobs)

    async def one(case):
        async with room:
            result = await play_one(role, case, limit)
            tell(result)
            return result

    together = await asyncio.gather(*[one(case) for case in cases if not case.alone])
    found = {result.case.id: result for result in together}
    for case in cases:
        if case.alone:
            found[case.id] = await one(case)
    return [found[case.id] for case in cases]
