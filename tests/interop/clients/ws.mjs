// ws.mjs - npm's ws as a client of ours: see systems.py.

import { readFileSync } from "node:fs";
import WebSocket from "ws";
import { talk } from "./talk.mjs";

await talk((url, deflate, trusted) =>
  new WebSocket(url, { perMessageDeflate: deflate, ca: trusted && readFileSync(trusted) }));
