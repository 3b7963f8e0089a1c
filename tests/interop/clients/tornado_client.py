"""tornado_client.py - Debian's python3-tornado as a client of ours: see systems.py."""

import asyncio
import ssl
import sys

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
TEXT = " ".join(map(str, range(1 << 18)))
BYTES = bytes(n * 7 + n // 251 & 255 for n in range(1 << 20))


async def echo(peer, *messages):
    for message in messages:
        await peer.write_message(message, binary=isinstance(message, bytes))
    for message in messages:
        assert await peer.read_message() == message


async def main(url, deflate, trusted=None):
    request = HTTPRequest(url, ssl_options=ssl.create_default_context(cafile=trusted) if trusted else None)
    peer = await websocket_connect(request, compression_options={} if deflate == "deflate" else None)
    print("agreed", "deflate" if "Sec-Websocket-Extensions" in peer.headers else "plain")
    for size in SIZES:
        await echo(peer, TEXT[:size])
        await echo(peer, BYTES[:size])
    await echo(peer, *(f"message {number}" for number in range(100)))
    peer.ping(b"there?")
    peer.close(4000, "bye")
    assert await peer.read_message() is None
    print("closed", peer.close_code)


asyncio.run(main(*sys.argv[1:]))
