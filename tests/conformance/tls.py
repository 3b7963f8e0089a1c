"""tls.py - a relay between a plain socket and TLS, so that a link knows only plain sockets.

Each direction ends by itself, as TCP does. (asyncio's own TLS cannot: its streams end as a whole.)"""

import asyncio
import socket
import ssl

CHUNK = 1 << 16


class Relay:
    def __init__(self, near, far, name):
        self.near, self.far = near, far
        self.loop = asyncio.get_running_loop()
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the certificate is not what is judged here
        context.verify_mode = ssl.CERT_NONE
        self.tls = context.wrap_bio(self.come, self.go, server_hostname=name)

    async def run(self):
        try:
            await self._stepwise(self.tls.do_handshake)
            await asyncio.gather(self._up(), self._down())
        except (OSError, EOFError):
            pass
        finally:
            self.near.close()
            self.far.close()

    async def _flush(self):
        if data := self.go.read():
            await self.loop.sock_sendall(self.far, data)

    async def _stepwise(self, act, *arguments):
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                await self._flush()
                got = await self.loop.sock_recv(self.far, CHUNK)
                if not got:
                    raise EOFError from None
                self.come.write(got)
            finally:
                await self._flush()

    async def _up(self):
        while data := await self.loop.sock_recv(self.near, CHUNK):
            self.tls.write(data)
            await self._flush()
        self.far.shutdown(socket.SHUT_WR)

    async def _down(self):
        try:
            while data := await self._stepwise(self.tls.read, CHUNK):
                await self.loop.sock_sendall(self.near, data)
        except (ssl.SSLError, EOFError):
            pass
        self.near.shutdown(socket.SHUT_WR)
