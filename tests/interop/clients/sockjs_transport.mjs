// sockjs_transport.mjs - npm's sockjs-client, by its WebSocket transport, as a client of transports.c: see systems.py. (Its
// bare WebSocket is sockjs.mjs.)

import { readFileSync } from "node:fs";
import https from "node:https";
import SockJS from "sockjs-client";
import { talk } from "./talk.mjs";

function open(url, _, trusted) {
  const tls = trusted ? { ca: readFileSync(trusted) } : {};
  Object.assign(https.globalAgent.options, tls); // for what it asks before
  const options = { transports: ["websocket"], transportOptions: { websocket: { tls, maxLength: 1 << 26 } } };
  return new SockJS(url.replace(/^ws/, "http"), null, options);
}

// Before it closes, a heartbeat has come.
await talk(
  (...where) => {
    const socket = open(...where);
    const close = socket.close.bind(socket);
    const beat = new Promise((resolve) => (socket.onheartbeat = resolve));
    socket.close = (...how) => beat.then(() => close(...how));
    return socket;
  },
  { binary: false },
);

// And once the server closes.
const socket = open(...process.argv.slice(2));
socket.onopen = () => socket.send("swale:close");
const { code, reason } = await new Promise((resolve) => (socket.onclose = resolve));
if (code !== 4001 || reason !== "again") throw new Error(`closed with ${code} ${reason}`);
