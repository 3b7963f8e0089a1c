"""fair_test.py - is the suite fair? Servers that we did not write, and that are known to be good, are judged: npm's ws and Debian's
python3-websockets. Where they are not "ok" stands in known/, with the reason; any other result is a failure of the suite. The
results have to be those of docs/conformance.md; with --write they become so."""

import pathlib
import subprocess
import sys

from cases import MIB, SERVER, load
from judge import chosen, judge
from server_role import ServerRole
from table import checked

HERE = pathlib.Path(__file__).parent
LIMIT = 16 * MIB
PEERS = {
    "ws": ["node", "ws_server.mjs"],
    "websockets": ["/usr/bin/python3", "websockets_server.py"],
}


def judged(name, command):
    process = subprocess.Popen([*command, "0"], cwd=HERE / "peers", stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline().split()
        assert said[:1] == ["listening"], f"{name} did not start: {said}"
        role = ServerRole(f"ws://127.0.0.1:{said[1]}/echo", patience=8)
        # What is known to be silent costs the patience: many at a time.
        return judge(role, list(chosen(SERVER, LIMIT)), LIMIT, jobs=48, known=HERE / "known" / f"{name}.txt",
                     races=True)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main():
    good = True
    for name, command in PEERS.items():
        print(f"\n{name}")
        as_known, table = judged(name, command)
        good = checked(SERVER, name, table, load(), "--write" in sys.argv) and as_known and good
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
