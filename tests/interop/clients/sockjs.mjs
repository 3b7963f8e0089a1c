// sockjs.mjs - the WebSocket of npm's sockjs-client as a client of ours: see systems.py. (Its own handshake and frames
// need a server of SockJS.)

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { talk } from "./talk.mjs";

const Driver = createRequire(import.meta.url)("sockjs-client/lib/transport/driver/websocket");

await talk((url, _, trusted) => {
  const socket = new Driver(url, [], { tls: trusted ? { ca: readFileSync(trusted) } : {}, maxLength: 1 << 26 });
  Object.defineProperty(socket, "extensions", {
    get: () => socket._driver.headers["sec-websocket-extensions"] ?? "",
  });
  return socket;
});
