"""python_websockets.py - Debian's python3-websockets as a server for the tests of the client: see peers.py."""

import asyncio
import ssl
import sys

import websockets


async def serve(peer, path):
    try:
        async for message in peer:
            command, _, rest = message.partition(" ") if isinstance(message, str) else ("", "", "")
            if command == "swale:close":
                code, _, text = rest.partition(" ")
                await peer.close(int(code), text)
            elif command == "swale:ping":
                await (await peer.ping(rest))
                await peer.send("pong " + rest)
            elif command == "swale:fragments":
                await peer.send(["one ", "", "two €", " three"])
            else:
                await peer.send(message)
    except websockets.ConnectionClosed:
        pass
    print("closed", peer.close_code, peer.close_reason, flush=True)


async def main():
    if len(sys.argv) > 3:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[3], sys.argv[4])
    else:
        tls = None
    options = {"ssl": tls, "subprotocols": ["second"], "max_size": 4 << 20, "ping_interval": None}
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), **options) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
