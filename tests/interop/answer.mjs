// answer.mjs URL - says "open", and then answers each text message on the topic by "heard ..." and itself.

import WebSocket from "ws";

const peer = new WebSocket(process.argv[2], { perMessageDeflate: false });
peer.on("open", () => console.log("open"));
peer.on("message", (data) => peer.send(`heard ${data}`));
peer.on("error", (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
