"""websockets_server.py - Debian's python3-websockets as an echo server, to be judged: websockets_server.py PORT, which says
"listening PORT"."""

import asyncio
import logging
import sys

import websockets


async def echo(peer, *_):
    try:
        async for message in peer:
            await peer.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    options = {"max_size": 16 << 20, "ping_interval": None, "close_timeout": 2}
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), **options) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
