"""aiohttp_server.py - Debian's python3-aiohttp as a server for the tests of the client: see peers.py."""

import asyncio
import ssl
import sys

from aiohttp import WSMsgType, web


async def serve(request):
    # By itself it would answer every close frame with 1000.
    peer = web.WebSocketResponse(max_msg_size=4 << 20, protocols=["second"], autoping=False, autoclose=False)
    await peer.prepare(request)
    while not peer.closed:
        message = await peer.receive()
        command, _, rest = message.data.partition(" ") if message.type == WSMsgType.TEXT else ("", "", "")
        if message.type == WSMsgType.PING:
            await peer.pong(message.data)
        elif message.type == WSMsgType.PONG:
            await peer.send_str("pong " + message.data.decode())
        elif message.type == WSMsgType.BINARY:
            await peer.send_bytes(message.data)
        elif message.type != WSMsgType.TEXT:
            print("closed", peer.close_code, message.extra or "", flush=True)
            await peer.close(code=message.data or 1000)
        elif command == "swale:close":
            code, _, text = rest.partition(" ")
            await peer.close(code=int(code), message=text.encode())
        elif command == "swale:ping":
            await peer.ping(rest.encode())
        else:
            await peer.send_str(message.data)
    return peer


async def main(port, certificate=None, key=None):
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    application = web.Application()
    application.router.add_get("/echo", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    print("listening", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1]), *sys.argv[3:]))
