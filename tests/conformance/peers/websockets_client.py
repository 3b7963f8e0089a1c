"""websockets_client.py - Debian's python3-websockets as a client, to be judged: it echoes at each URL that a line of its input names
(client_role.py has the whole of it)."""

import asyncio
import logging
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


def deflate_of(offer):
    """ "permessage-deflate;server_max_window_bits=10" as websockets has it."""
    options = {}
    for parameter in offer.split(";")[1:]:
        name, equals, value = parameter.partition("=")
        options[name] = int(value) if equals else True
    return ClientPerMessageDeflateFactory(**options)


async def visit(url, words):
    given = dict(word.split("=", 1) for word in words)
    settings = {
        "compression": None,
        "extensions": [deflate_of(given["offer"])] if "offer" in given else None,
        "subprotocols": given["subprotocols"].split(",") if "subprotocols" in given else None,
        "max_size": 16 << 20,
        "ping_interval": None,
        "close_timeout": 2,
    }
    try:
        async with websockets.connect(url, **settings) as client:
            async for message in client:
                await client.send(message)
    except (websockets.WebSocketException, OSError, EOFError, ValueError, asyncio.TimeoutError):  # ValueError: a window of 8 bits
        pass


def main():
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    for line in sys.stdin:
        url, *words = line.split()
        asyncio.run(visit(url, words))
        print("over", flush=True)


main()
