"""server_test.py - `swale serve` is judged: all of it with permessage-deflate that keeps its windows; RFC 7692 again with windows
that are not kept; and once more over TLS. The results have to be those of docs/conformance.md; with --write they become so."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "lib"))

from cases import MIB, SERVER, load
from judge import chosen, judge
from program import Certificate, Program, slack
from server_role import ServerRole
from table import checked

KNOWN = HERE / "known" / "swale.txt"
LIMIT = 64 * MIB
# A peer that is slow because the machine is has all the time that it wants; one that conforms needs none of it.
PATIENCE = slack(15)
OPTIONS = ["--close-wait", "2s", "--max-message", "64m", "--max-inflate-ratio", "off"]


def judged(*options, globs=None, limit=None, tls=None):
    with Program(*OPTIONS, *options, tls=tls) as program:
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{program.port}/echo"
        return judge(ServerRole(url, PATIENCE), list(chosen(SERVER, limit, globs)), limit, known=KNOWN)


def main():
    good, table = judged("--deflate=context", limit=LIMIT)
    again, _ = judged("--deflate=shared", globs=["7692:*"])
    secure, _ = judged("--deflate=context", tls=Certificate())
    return all([checked(SERVER, "swale serve", table, load(), "--write" in sys.argv), good, again, secure])


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
