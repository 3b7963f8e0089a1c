// faye.mjs - npm's faye-websocket as a client of ours: see systems.py.

import { readFileSync } from "node:fs";
import faye from "faye-websocket";
import permessageDeflate from "permessage-deflate";
import { talk } from "./talk.mjs";

await talk((url, deflate, trusted) => {
  const socket = new faye.Client(url, [], {
    extensions: deflate ? [permessageDeflate] : [],
    tls: trusted ? { ca: readFileSync(trusted) } : {},
    maxLength: 1 << 26,
  });
  socket.onopen = null;
  // It does not tell what was agreed, but in the answer's head.
  Object.defineProperty(socket, "extensions", {
    get: () => socket._driver.headers["sec-websocket-extensions"] ?? "",
  });
  return socket;
});
