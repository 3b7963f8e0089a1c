"""run.py GROUP [FAULT...] - runs the faults of GROUP.py on the real program, each with programs of its own."""

import importlib
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "hostile")]

from program import SANITIZED  # noqa: E402


def run_fault(name, act):
    began = time.monotonic()
    try:
        figures = act()
    except Exception as error:  # pylint: disable=broad-except
        print(f"not ok {name}: {type(error).__name__} {error}", flush=True)
        print("".join(traceback.format_tb(error.__traceback__)[-3:]), flush=True)
        return False
    print(f"ok     {name} ({time.monotonic() - began:.2f} s{', ' + figures if figures else ''})", flush=True)
    return True


def run_group(group, wanted):
    faults = importlib.import_module(group).FAULTS
    if missing := faults.lacks():
        print(f"SKIPPED: there is no {missing} here")
        sys.exit(77)
    faults = [fault for fault in faults.all if not wanted or fault[0] in wanted]
    good = [run_fault(f"{group}.{name}", act) for name, act in faults]
    print(f"{len(good)} faults{', sanitized' if SANITIZED else ''}")
    return bool(good) and all(good)


if __name__ == "__main__":
    sys.exit(0 if run_group(sys.argv[1], sys.argv[2:]) else 1)
