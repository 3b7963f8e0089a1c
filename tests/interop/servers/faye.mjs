// faye.mjs - npm's faye-websocket as a server for the tests of the client: see peers.py.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import FayeWebSocket from "faye-websocket";
import permessageDeflate from "permessage-deflate";

const [port, , cert, key] = process.argv.slice(2);
const server = cert
  ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : http.createServer();

server.on("upgrade", (request, socket, head) => {
  const options = { extensions: [permessageDeflate], maxLength: 4 << 20 };
  const peer = new FayeWebSocket(request, socket, head, ["second"], options);
  peer.on("error", (error) => console.log("error", error.message));
  peer.on("close", ({ code, reason }) => console.log("closed", code, reason));
  peer.on("message", ({ data }) => {
    const [command, ...rest] = typeof data === "string" ? data.split(" ") : [];
    const text = rest.join(" ");
    if (command === "swale:close") peer.close(Number(rest[0]), rest.slice(1).join(" "));
    else if (command === "swale:ping") peer.ping(text, () => peer.send(`pong ${text}`));
    else peer.send(data);
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log("listening", server.address().port));
