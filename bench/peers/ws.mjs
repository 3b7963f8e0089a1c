// ws.mjs - npm's ws: see README.md.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";

// The one of the tests' package.json.
const { WebSocket, WebSocketServer } = createRequire(new URL("../../tests/package.json", import.meta.url))("ws");
const [port, deflate, cert, key] = process.argv.slice(2);
const listener = cert
  ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : http.createServer();
const forget = deflate === "shared";
const server = new WebSocketServer({
  server: listener,
  maxPayload: 4 << 20,
  perMessageDeflate: deflate !== "none" && {
    serverNoContextTakeover: forget,
    clientNoContextTakeover: forget,
    zlibDeflateOptions: { level: 1 },
  },
});
const topic = new Set();

function publish(from, data, binary) {
  for (const peer of topic)
    if (peer !== from && peer.readyState === WebSocket.OPEN) peer.send(data, { binary });
}

server.on("connection", (peer, request) => {
  peer.on("error", () => {});
  if (request.url === "/echo") {
    peer.on("message", (data, binary) => peer.send(data, { binary }));
    return;
  }
  topic.add(peer);
  peer.on("close", () => topic.delete(peer));
  peer.on("message", (data, binary) => publish(peer, data, binary));
});
listener.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
