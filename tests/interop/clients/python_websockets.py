"""python_websockets.py - Debian's python3-websockets as a client of ours: see systems.py."""

import asyncio
import ssl
import sys

import websockets

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
TEXT = " ".join(map(str, range(1 << 18)))
BYTES = bytes(n * 7 + n // 251 & 255 for n in range(1 << 20))


async def echo(peer, *messages):
    for message in messages:
        await peer.send(message)
    for message in messages:
        assert await peer.recv() == ("".join(message) if isinstance(message, list) else message)


async def main(url, deflate, trusted=None):
    options = {"compression": "deflate" if deflate == "deflate" else None, "max_size": None}
    if trusted:
        options["ssl"] = ssl.create_default_context(cafile=trusted)
    async with websockets.connect(url, **options) as peer:
        print("agreed", "deflate" if peer.extensions else "plain")
        for size in SIZES:
            await echo(peer, TEXT[:size])
            await echo(peer, BYTES[:size])
        await echo(peer, *(f"message {number}" for number in range(100)))
        await echo(peer, ["in ", "", "fragments"])
        await (await peer.ping())
        await peer.close(4000, "bye")
        print("closed", peer.close_code)


asyncio.run(main(*sys.argv[1:]))
