// ws_client.mjs - npm's ws as a client, to be judged: it echoes at each URL that a line of its input names (client_role.py has
// the whole of it).

import { createInterface } from "node:readline";
import { WebSocket } from "ws";

const NAMES = {
  server_no_context_takeover: "serverNoContextTakeover",
  client_no_context_takeover: "clientNoContextTakeover",
  server_max_window_bits: "serverMaxWindowBits",
  client_max_window_bits: "clientMaxWindowBits",
};

// "permessage-deflate;server_max_window_bits=10" as ws has it. It offers client_max_window_bits if nothing is said.
function deflateOf(offer) {
  const options = { threshold: 0, clientMaxWindowBits: false };
  for (const parameter of offer.split(";").slice(1)) {
    const [name, value] = parameter.split("=");
    options[NAMES[name]] = value === undefined ? true : Number(value);
  }
  return options;
}

function optionsOf(words) {
  const given = Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]));
  return {
    subprotocols: given.subprotocols?.split(",") ?? [],
    settings: { maxPayload: 16 << 20, perMessageDeflate: given.offer ? deflateOf(given.offer) : false },
  };
}

function visit(url, { subprotocols, settings }) {
  return new Promise((over) => {
    const client = new WebSocket(url, subprotocols, settings);
    client.on("error", () => {});
    client.on("message", (data, binary) => client.send(data, { binary }));
    client.on("close", over);
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [url, ...words] = line.split(" ");
  await visit(url, optionsOf(words));
  console.log("over");
}
