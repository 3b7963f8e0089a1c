// ws.mjs - npm's ws as a server for the tests of the client: see peers.py.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [port, , cert, key] = process.argv.slice(2);
const listener = cert
  ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : http.createServer();
const server = new WebSocketServer({
  server: listener,
  perMessageDeflate: { threshold: 100 },
  maxPayload: 4 << 20,
  handleProtocols: (offered) => (offered.has("second") ? "second" : false),
});

function fragments(peer) {
  for (const part of ["one ", "", "two €"]) peer.send(part, { fin: false });
  peer.send(" three", { fin: true });
}

listener.listen(Number(port), "127.0.0.1", () => console.log("listening", listener.address().port));
server.on("connection", (peer) => {
  peer.on("pong", (data) => peer.send(`pong ${data}`));
  peer.on("error", (error) => console.log("error", error.message));
  peer.on("close", (code, reason) => console.log("closed", code, String(reason)));
  peer.on("message", (data, binary) => {
    const [command, ...rest] = binary ? [] : String(data).split(" ");
    if (command === "swale:close") peer.close(Number(rest[0]), rest.slice(1).join(" "));
    else if (command === "swale:ping") peer.ping(rest.join(" "));
    else if (command === "swale:fragments") fragments(peer);
    else peer.send(data, { binary });
  });
});
