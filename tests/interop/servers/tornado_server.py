"""tornado_server.py - Debian's python3-tornado as a server for the tests of the client: see peers.py."""

import asyncio
import sys

import tornado.netutil
import tornado.httpserver
import tornado.web
import tornado.websocket


class Echo(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin):
        return True

    def get_compression_options(self):
        return {}

    def select_subprotocol(self, offered):
        return "second" if "second" in offered else None

    async def on_message(self, message):
        command, _, rest = message.partition(" ") if isinstance(message, str) else ("", "", "")
        if command == "swale:close":
            code, _, text = rest.partition(" ")
            self.close(int(code), text)
        elif command == "swale:ping":
            self.ping(rest.encode())
        else:
            await self.write_message(message, binary=isinstance(message, bytes))

    def on_pong(self, data):
        self.write_message(b"pong " + data)

    def on_close(self):
        print("closed", self.close_code, self.close_reason or "", flush=True)


async def main():
    application = tornado.web.Application([(r"/.*", Echo)], websocket_max_message_size=4 << 20)
    [socket] = tornado.netutil.bind_sockets(int(sys.argv[1]), "127.0.0.1")
    tls = {"certfile": sys.argv[3], "keyfile": sys.argv[4]} if len(sys.argv) > 3 else None
    tornado.httpserver.HTTPServer(application, ssl_options=tls).add_socket(socket)
    print("listening", socket.getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
