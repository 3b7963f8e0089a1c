// talk.mjs - what each client in JavaScript does, whatever its library: see systems.py.

const SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20];
const TEXT = Array.from({ length: 1 << 18 }, (_, n) => n).join(" ");
const BYTES = Buffer.alloc(1 << 20).map((_, n) => n * 7 + n / 251);

const same = (a, b) => (typeof a === "string" ? a === b : Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0);

// `open(url, deflate, trusted)` gives a socket as browsers have it (whose `extensions` are what was agreed).
export async function talk(open, { binary = true } = {}) {
  const [url, deflate, trusted] = process.argv.slice(2);
  const socket = open(url, deflate === "deflate", trusted);
  socket.binaryType = "nodebuffer" in socket ? "nodebuffer" : "arraybuffer";
  const waiting = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => wake(waiting.push(data));
  const failed = new Promise((_, reject) => (socket.onerror = (event) => reject(new Error(event.message))));
  const closed = new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  const next = async () => {
    while (waiting.length === 0) await Promise.race([failed, new Promise((resolve) => (wake = resolve))]);
    return waiting.shift();
  };
  const echo = async (...messages) => {
    for (const message of messages) socket.send(message);
    for (const message of messages) if (!same(message, await next())) throw new Error("another message");
  };

  await Promise.race([failed, new Promise((resolve) => (socket.onopen = resolve))]);
  console.log("agreed", /^permessage-deflate/.test(socket.extensions) ? "deflate" : "plain");
  for (const size of SIZES) await echo(TEXT.slice(0, size), ...(binary ? [BYTES.subarray(0, size)] : []));
  await echo(...Array.from({ length: 100 }, (_, number) => `message ${number}`));
  socket.close(4000, "bye");
  console.log("closed", await closed);
}
