// ws.mjs - npm's ws as a server for the tests of the client: see peers.py.

import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: { threshold: 100 },
  maxPayload: 4 << 20,
  handleProtocols: (offered) => (offered.has("second") ? "second" : false),
});

function fragments(peer) {
  for (const part of ["one ", "", "two €"]) peer.send(part, { fin: false });
  peer.send(" three", { fin: true });
}

server.on("listening", () => console.log("listening", server.address().port));
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
