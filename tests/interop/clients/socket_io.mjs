// socket_io.mjs - npm's socket.io-client, by its WebSocket transport, as a client of transports.c: see systems.py.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { io } from "socket.io-client";
import { talk } from "./talk.mjs";

// What talk() takes for a WebSocket. Before it closes, a message has been acknowledged and a ping of the server's answered.
await talk((url, deflate, trusted) => {
  const client = io(`${new URL(url).protocol}//${new URL(url).host}/`, {
    transports: ["websocket"],
    reconnection: false,
    perMessageDeflate: deflate && { threshold: 16 },
    ca: trusted && readFileSync(trusted),
  });
  const pinged = once(client.io, "ping");
  const socket = {
    send: (data) => client.emit("echo", data),
    close: async () => {
      const [echoed] = await client.emitWithAck("acknowledged", "last words").then((...all) => all);
      if (echoed !== "acknowledged") throw new Error(`acknowledged with ${echoed}`);
      await pinged;
      client.disconnect();
    },
    get extensions() {
      return client.io.engine.transport.ws.extensions;
    },
  };
  client.on("connect", () => socket.onopen());
  client.on("connect_error", (error) => socket.onerror(error));
  client.on("echo", (data) => socket.onmessage({ data }));
  client.on("disconnect", (code) => socket.onclose({ code }));
  return socket;
});
