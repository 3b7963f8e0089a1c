"""aiohttp_client.py - Debian's python3-aiohttp as a client of ours: see systems.py."""

import asyncio
import ssl
import sys

import aiohttp

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
TEXT = " ".join(map(str, range(1 << 18)))
BYTES = bytes(n * 7 + n // 251 & 255 for n in range(1 << 20))


async def send(peer, message):
    await (peer.send_str(message) if isinstance(message, str) else peer.send_bytes(message))


async def echo(peer, *messages):
    for message in messages:
        await send(peer, message)
    for message in messages:
        assert (await peer.receive()).data == message


async def main(url, deflate, trusted=None):
    context = ssl.create_default_context(cafile=trusted) if trusted else None
    options = {"compress": 15 if deflate == "deflate" else 0, "ssl": context, "max_msg_size": 0, "autoping": False}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as peer:
        print("agreed", "deflate" if peer.compress else "plain")
        for size in SIZES:
            await echo(peer, TEXT[:size])
            await echo(peer, BYTES[:size])
        await echo(peer, *(f"message {number}" for number in range(100)))
        await peer.ping(b"there?")
        answer = await peer.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
        await peer.close(code=4000, message=b"bye")
        print("closed", peer.close_code)


asyncio.run(main(*sys.argv[1:]))
