"""run_client.py GROUP [ROW...] - runs the rows of lies/GROUP.py: `swale connect` against a server that lies."""

import concurrent.futures
import importlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from program import SANITIZED  # noqa: E402
from wire import Gone  # noqa: E402


def run_row(name, act):
    began = time.monotonic()
    try:
        act()
    except (AssertionError, OSError, Gone) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(last.filename)}:{last.lineno}"
        print(f"not ok {name}: {type(error).__name__} {error} ({where})", flush=True)
        return False
    print(f"ok     {name} ({time.monotonic() - began:.2f} s)", flush=True)
    return True


def run_group(group, wanted):
    lies = importlib.import_module(f"lies.{group}").LIES
    rows = [(f"{group}.{name}", act) for name, act in lies.rows if not wanted or name in wanted]
    assert rows, "no such row"
    with concurrent.futures.ThreadPoolExecutor(lies.threads) as pool:
        good = list(pool.map(run_row, *zip(*rows)))
    assert all(good), f"{good.count(False)} of {len(good)} rows failed"
    print(f"{len(good)} rows{', sanitized' if SANITIZED else ''}")


if __name__ == "__main__":
    run_group(sys.argv[1], sys.argv[2:])
