"""tls.py - a relay between a plain socket and TLS, so that a link knows only plain sockets.

Each direction ends by itself, as TCP does. (asyncio's own TLS cannot: its streams end as a whole.)"""

import asyncio
import socket
import ssl

CHUNK = 1 << 16


def towards_server(name):
    """A way into TLS as the client of a server with that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate is not what is judged here
    context.verify_mode = ssl.CERT_NONE
    return lambda come, go: context.wrap_bio(come, go, server_hostname=name)


def towards_client(certificate, key):
    """A way into TLS as a server with these files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return lambda come, go: context.wrap_bio(come, go, server_side=True)


def relayed(connected, wrap):
    """Instead of the socket, on which TLS is spoken, a plain one; and the task between them."""
    near, far = socket.socketpair()
    far.setblocking(False)
    connected.setblocking(False)
    return near, asyncio.ensure_future(Relay(far, connected, wrap).run())


class Relay:
    def __init__(self, near, far, wrap):
        self.near, self.far = near, far
        self.loop = asyncio.get_running_loop()
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = wrap(self.come, self.go)

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
