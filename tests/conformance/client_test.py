"""client_test.py CLIENT - Swale's client (client.c) is judged. The results have to be those of docs/conformance.md; with --write
they become so."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "lib"))

from cases import CLIENT, MIB, load
from client_role import ClientRole
from judge import chosen, judge
from program import slack
from table import checked

LIMIT = 64 * MIB


def main():
    role = ClientRole([sys.argv[1]], patience=slack(15))
    good, table = judge(role, list(chosen(CLIENT, LIMIT)), LIMIT, known=HERE / "known" / "swale_client.txt")
    return checked(CLIENT, "Swale", table, load(), "--write" in sys.argv) and good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
