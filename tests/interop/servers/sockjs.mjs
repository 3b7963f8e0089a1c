// sockjs.mjs - npm's sockjs as a server for the tests of the client, by its raw WebSocket endpoint: see peers.py.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import sockjs from "sockjs";

const [port, , cert, key] = process.argv.slice(2);
const server = cert
  ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : http.createServer();
const echo = sockjs.createServer({ log: () => {}, faye_server_options: { maxLength: 4 << 20 } });

echo.on("connection", (peer) => {
  peer.on("data", (data) => {
    const [command, code, ...rest] = data.split(" ");
    if (command === "swale:close") peer.close(Number(code), rest.join(" "));
    else peer.write(data);
  });
});
echo.installHandlers(server, { prefix: "/echo" });
server.listen(Number(port), "127.0.0.1", () => console.log("listening", server.address().port));
