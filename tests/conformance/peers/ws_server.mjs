// ws_server.mjs - npm's ws as an echo server, to be judged: ws_server.mjs PORT, which says "listening PORT".

import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: { threshold: 0 },
  maxPayload: 16 << 20,
});

server.on("listening", () => console.log("listening", server.address().port));
server.on("connection", (peer) => {
  peer.on("error", () => {});
  peer.on("message", (data, binary) => peer.send(data, { binary }));
});
