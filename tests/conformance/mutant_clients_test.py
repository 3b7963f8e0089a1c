"""mutant_clients_test.py - does the suite catch clients that are broken, and no others? mutant_clients_test.py [NAME...]"""

import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))

from cases import CLIENT
from client_mutants import MUTANTS
from client_role import ClientRole
from mutation import Mutation
from play import play_all
from strict_client import Client, Visitor

JOBS = 32
TOGETHER = 6


async def play(kind, cases, patience, tell):
    role = ClientRole([], patience, make=lambda: Visitor(kind))
    try:
        return await play_all(role, cases, Client.limit, JOBS, tell)
    finally:
        await role.end()


if __name__ == "__main__":
    mutation = Mutation(CLIENT, Client, play, TOGETHER)
    sys.exit(0 if asyncio.run(mutation.judge(sys.argv[1:], MUTANTS, {})) else 1)
