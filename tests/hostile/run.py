"""run.py GROUP [ROW...] - runs the rows of rows/GROUP.py against the program, and judges each.

Whatever a row does, the same holds for each: a fresh client is served afterwards, a bystander is neither dropped
nor held up, memory stays bounded; and at the end the descriptors are back, nothing burns, and the program ends well.
"""

import importlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from bystander import Bystander  # noqa: E402
from program import SANITIZED, Certificate, Program, slack, until  # noqa: E402
from wire import Gone, opened  # noqa: E402

GROWTH = 32 * 1024  # KiB, above what it held when the row began
FRESH = 5.0  # seconds in which a new client must be served


def judge(program, bystander, held):
    assert program.alive(), "the program has ended"
    began = time.monotonic()
    with opened(program.port, tls=program.tls_context()) as fresh:
        fresh.echo()
    took = time.monotonic() - began
    assert took <= slack(FRESH), f"a fresh client waited {took:.1f} s"
    bystander.judge()
    growth = program.peak() - held
    assert growth <= slack(GROWTH), f"memory grew by {growth} KiB"
    return growth


def run_row(program, bystander, name, act):
    held = program.memory()
    program.forget_peak()
    began = time.monotonic()
    try:
        act(program)
        growth = judge(program, bystander, held)
    except (AssertionError, OSError, Gone) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(last.filename)}:{last.lineno}"
        print(f"not ok {name}: {type(error).__name__} {error} ({where})", flush=True)
        return False
    print(f"ok     {name} ({time.monotonic() - began:.2f} s, +{growth} KiB)", flush=True)
    return True


def judge_end(program, descriptors):
    until(lambda: program.descriptors() <= descriptors, slack(10), "descriptors back")
    before = program.cpu()
    time.sleep(0.5)
    burnt = program.cpu() - before
    assert burnt <= 0.1, f"{burnt:.2f} s of processor time in an idle half second"


def run_group(group, wanted):
    suite = importlib.import_module(f"rows.{group}").SUITE
    program = Program(*suite.options, tls=Certificate() if suite.tls else None)
    try:
        with opened(program.port, tls=program.tls_context()) as first:
            first.echo()
        descriptors = program.descriptors()
        bystander = Bystander(program)
        bystander.start()
        rows = [row for row in suite.rows if not wanted or row[0] in wanted]
        good = [run_row(program, bystander, f"{group}.{name}", act) for name, act in rows]
        if program.alive():
            bystander.leave()
            judge_end(program, descriptors)
            program.stop()
        assert all(good) and good, f"{good.count(False)} of {len(good)} rows failed"
    except BaseException:
        print("".join(program.log[-100:]))
        raise
    finally:
        program.kill()
    print(f"{len(good)} rows{', sanitized' if SANITIZED else ''}")


if __name__ == "__main__":
    run_group(sys.argv[1], sys.argv[2:])
