"""websockets_server.py - Debian's python3-websockets: see README.md."""

import asyncio
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

topic = set()


async def serve(peer, path):
    try:
        if path == "/echo":
            async for message in peer:
                await peer.send(message)
        else:
            topic.add(peer)
            async for message in peer:
                websockets.broadcast(topic - {peer}, message)
    except websockets.ConnectionClosed:
        pass
    finally:
        topic.discard(peer)


def extensions(deflate):
    if deflate == "none":
        return None
    forget = deflate == "shared"
    settings = {"level": 1}
    return [ServerPerMessageDeflateFactory(server_no_context_takeover=forget, client_no_context_takeover=forget, compress_settings=settings)]


async def main():
    port, deflate, *certificate = sys.argv[1:]
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    options = {"ssl": tls, "max_size": 4 << 20, "ping_interval": None, "compression": None, "extensions": extensions(deflate)}
    async with websockets.serve(serve, "127.0.0.1", int(port), backlog=4096, **options):
        await asyncio.Future()


asyncio.run(main())
