"""fair_clients_test.py - is the suite fair to clients? As fair_test.py is for servers: npm's ws and Debian's python3-websockets are
judged, known/ has their deviations, and docs/conformance.md their results; with --write it gets them."""

import pathlib
import sys

from cases import CLIENT, MIB, load
from client_role import ClientRole
from judge import chosen, judge
from table import checked

HERE = pathlib.Path(__file__).parent
LIMIT = 16 * MIB
PEERS = {
    "ws": ["node", HERE / "peers" / "ws_client.mjs"],
    "websockets": ["/usr/bin/python3", HERE / "peers" / "websockets_client.py"],
}


def main():
    good = True
    for name, command in PEERS.items():
        print(f"\n{name}")
        role = ClientRole(list(map(str, command)), patience=5)
        as_known, table = judge(role, list(chosen(CLIENT, LIMIT)), LIMIT, jobs=12, known=HERE / "known" / f"{name}_client.txt",
                                races=True)
        good = checked(CLIENT, name, table, load(), "--write" in sys.argv) and as_known and good
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
