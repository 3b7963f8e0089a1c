"""client_test.py CLIENT - Swale's client (client.c) is judged; and again over TLS, but for the large cases. The results have to be
those of docs/conformance.md; with --write they become so."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "lib"))

from cases import CLIENT, MIB, load
from client_role import ClientRole
from judge import chosen, judge
from program import Certificate, slack
from table import checked

LIMIT = 64 * MIB


def judged(*arguments, limit=None, tls=None):
    role = ClientRole([sys.argv[1], *arguments], slack(15), tls=tls)
    return judge(role, list(chosen(CLIENT, limit)), limit, known=HERE / "known" / "swale_client.txt")


def main():
    good, table = judged(limit=LIMIT)
    own = Certificate()
    secure, _ = judged(own.certificate, tls=(own.certificate, own.key))
    return all([checked(CLIENT, "Swale", table, load(), "--write" in sys.argv), good, secure])


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
