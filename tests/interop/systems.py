"""systems.py - the systems that Swale is tried with: what each is as a client of our server, and as a server to our
client.

A client is a program of clients/ (or a compiled one), which is run with

    URL plain|deflate [CERTIFICATE]

the last being the file of the one that it shall trust. It offers permessage-deflate or does not, says "agreed deflate"
or "agreed plain" as it came out, has texts and binary messages of 0 bytes to 1 MiB echoed, and a hundred at once; sends
fragments and pings where its interface can; closes with 4000 "bye", and says "closed CODE" with the code of our answer.

A server is one of peers.py.

A proxy (proxies.py) stands between: a client that we did not write comes through it to our server, and ours to a server
that we did not write; over TLS on both sides of it, or on neither.
"""

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import Callable

from peers import HERE, JETTY, KINDS, TOMCAT, compiled, java_class
from proxies import haproxy, nginx

CLIENTS = os.path.join(HERE, "clients")
NODE_MODULES = os.path.join(HERE, "..", "node_modules")
NO_DEFLATE = {"TLS"}
ALL = {"TLS", "deflate"}


def debian(package):
    """The upstream version of a Debian package."""
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], check=True, capture_output=True, text=True)
    return shown.stdout.split(":")[-1].split("-")[0].split("~")[0].split("+")[0]


def npm(package):
    def version():
        with open(os.path.join(NODE_MODULES, package, "package.json")) as file:
            return json.load(file)["version"]

    return version


def deb(package):
    return lambda: debian(package)


def script(interpreter, name):
    return [interpreter, os.path.join(CLIENTS, name)]


@dataclass
class System:
    title: str
    version: Callable[[], str]
    client: list = None  # the command, or none
    client_can: set = field(default_factory=lambda: ALL)
    client_tells: str = "closed 4000"  # how it has closed
    client_path: str = "/echo"
    gateway: bool = False  # its client speaks more than WebSocket: with transports.c, not `swale serve`
    server: str = None  # a kind of peers.py, or none
    server_path: str = "/echo"
    server_steps: tuple = ()  # where it is no plain echo
    proxy: Callable = None  # of proxies.py, before the server
    notes: str = ""

    @property
    def server_can(self):
        return {"TLS"} | ({"deflate"} if "deflate context" in KINDS[self.server][1] else set())


PYTHON = "/usr/bin/python3"

SYSTEMS = {
    "ws": System("ws (Node.js)", npm("ws"), script("node", "ws.mjs"), server="ws"),
    "faye-websocket": System(
        "faye-websocket (Node.js)", npm("faye-websocket"), script("node", "faye.mjs"), server="faye-websocket",
        notes="deflate by `permessage-deflate`"),
    "websockets": System(
        "websockets (Python)", deb("python3-websockets"), script(PYTHON, "python_websockets.py"), server="websockets"),
    "aiohttp": System("aiohttp (Python)", deb("python3-aiohttp"), script(PYTHON, "aiohttp_client.py"), server="aiohttp"),
    "tornado": System("Tornado (Python)", deb("python3-tornado"), script(PYTHON, "tornado_client.py"), server="tornado"),
    "em-websocket": System(
        "em-websocket (Ruby, EventMachine)", deb("ruby-em-websocket"), server="em-websocket",
        notes="has no client and no deflate"),
    "faye-ruby": System(
        "faye-websocket (Ruby, EventMachine)", deb("ruby-faye-websocket"), script("ruby", "faye.rb"), NO_DEFLATE,
        notes="its deflate is a gem that Debian has not"),
    "jetty": System("Jetty", deb("libjetty9-java"), java_class("JettyClient", *JETTY), server="jetty"),
    "tomcat": System(
        "Tomcat (javax.websocket)", deb("libtomcat9-java"), java_class("TomcatClient", *TOMCAT), server="tomcat"),
    "java-socket": System(
        "java.net.Socket, written naively", deb("openjdk-17-jre-headless"), java_class("NaiveSocket"), NO_DEFLATE),
    "gorilla": System(
        "gorilla/websocket (Go)", deb("golang-github-gorilla-websocket-dev"), compiled("gorilla", "client"),
        server="gorilla", notes="keeps no window between messages"),
    "libwebsockets": System(
        "libwebsockets", deb("libwebsockets-dev"), compiled("lws", "client"), NO_DEFLATE,
        client_tells="closed", server="libwebsockets",
        notes="its deflate is left out: it aborts by an assertion when it compresses two empty messages"),
    "beast": System("Boost.Beast", deb("libboost1.74-dev"), compiled("beast", "client"), server="beast"),
    "sockjs": System(
        "SockJS: sockjs-client's WebSocket, sockjs's raw endpoint (Node.js)", npm("sockjs"), script("node", "sockjs.mjs"),
        NO_DEFLATE, server="sockjs", server_path="/echo/websocket",
        server_steps=(*(f"text:{size}" for size in (0, 1, 125, 126, 65535, 65536, 1 << 20)), "ping", "close:4000:bye", "end"),
        notes="texts only; offers no deflate"),
    "sockjs-transport": System(
        "SockJS (Node.js), its WebSocket transport", npm("sockjs"), script("node", "sockjs_transport.mjs"), NO_DEFLATE,
        client_path="/sockjs", gateway=True, server="sockjs", server_path="/echo/000/session/websocket",
        server_steps=("hear:o", *(
            step for data in ("", "hello", "again and again, " * 5000)
            for step in (f'send:["{data}"]', f'hear:a["{data}"]')), 'send:["one","two"]', 'hear:a["one"]', 'hear:a["two"]',
            "ping", 'send:["swale:close 1000 bye"]', 'hear:c[1000,"bye"]', "lost:peer-closed", "end"),
        notes="its frames are spoken by hand on our side; offers no deflate"),
    "chromium": System("Chromium", deb("chromium"), [*script("node", "browser.mjs"), "chromium"]),
    "nginx": System(
        "nginx, between", deb("nginx-light"), script("node", "ws.mjs"), server="websockets", proxy=nginx),
    "haproxy": System(
        "haproxy, between", deb("haproxy"), script("node", "ws.mjs"), server="websockets", proxy=haproxy),
    "firefox": System("Firefox", deb("firefox-esr"), [*script("node", "browser.mjs"), "firefox"]),
    "socket.io": System(
        "Socket.IO (Node.js), its WebSocket transport", npm("socket.io"), script("node", "socket_io.mjs"),
        client_tells="closed io client disconnect", client_path="/", gateway=True, server="socket.io",
        server_path="/socket.io/?EIO=4&transport=websocket",
        server_steps=('hear:0{"sid":', "send:40", 'hear:40{"sid":', *(
            step for data in ("hello", "again and again, " * 5000)
            for step in (f'send:42["echo","{data}"]', f'hear:42["echo","{data}"]')), "ping", "close:1000:", "end"),
        notes="packets of Engine.IO 4 and Socket.IO 5, spoken by hand on our side"),
}
