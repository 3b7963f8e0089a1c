// socket_io.mjs - npm's socket.io as a server for the tests of the client, which speaks its packets by hand: see peers.py.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { Server } from "socket.io";

const [port, , cert, key] = process.argv.slice(2);
const server = cert
  ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : http.createServer();
const io = new Server(server, {
  transports: ["websocket"],
  maxHttpBufferSize: 4 << 20,
  perMessageDeflate: { threshold: 16 },
});

io.on("connection", (peer) => peer.on("echo", (...things) => peer.emit("echo", ...things)));
server.listen(Number(port), "127.0.0.1", () => console.log("listening", server.address().port));
