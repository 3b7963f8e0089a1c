"""mutants_test.py - does the suite catch servers that are broken, and no others? mutants_test.py [NAME...]"""

import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))

from cases import SERVER
from mutants import MUTANTS, VARIANTS
from mutation import Mutation
from play import play_all
from server_role import ServerRole
from strict import Echo, serve

JOBS = 32
TOGETHER = 12


async def play(kind, cases, patience, tell):
    server = await serve(kind)
    port = server.sockets[0].getsockname()[1]
    try:
        return await play_all(ServerRole(f"ws://127.0.0.1:{port}/echo", patience), cases, Echo.limit, JOBS, tell)
    finally:
        server.close()


if __name__ == "__main__":
    mutation = Mutation(SERVER, Echo, play, TOGETHER)
    sys.exit(0 if asyncio.run(mutation.judge(sys.argv[1:], MUTANTS, VARIANTS)) else 1)
