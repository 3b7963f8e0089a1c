// browser.mjs BROWSER URL plain|deflate [CERTIFICATE] - Debian's Chromium or Firefox as a client of ours: see systems.py. A page
// of our server does what talk.mjs does. Chromium is driven by playwright-core; Firefox, which that cannot drive as
// Debian builds it, by WebDriver BiDi. Both always offer permessage-deflate, and take any certificate here.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import WebSocket from "ws";

// This runs in the page.
async function talk(url) {
  const text = Array.from({ length: 1 << 18 }, (_, n) => n).join(" ");
  const bytes = new Uint8Array(1 << 20).map((_, n) => n * 7 + n / 251);
  const socket = new WebSocket(url);
  const waiting = [];
  let wake = () => {};
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => wake(waiting.push(data));
  const closed = new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  const next = async () => {
    while (waiting.length === 0) await new Promise((resolve) => (wake = resolve));
    return waiting.shift();
  };
  const same = (a, b) => (typeof a === "string" ? a === b : new Uint8Array(b).every((byte, n) => byte === a[n]));
  const echo = async (...messages) => {
    for (const message of messages) socket.send(message);
    for (const message of messages) {
      const got = await next();
      const size = got.byteLength ?? got.length;
      if (size !== message.length || !same(message, got)) return socket.close(3000, "another message");
    }
  };
  await Promise.race([closed, new Promise((resolve) => (socket.onopen = resolve))]);
  const lines = [`agreed ${/^permessage-deflate/.test(socket.extensions) ? "deflate" : "plain"}`];
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) await echo(text.slice(0, size), bytes.subarray(0, size));
  await echo(...Array.from({ length: 100 }, (_, number) => `message ${number}`));
  socket.close(4000, "bye");
  return [...lines, `closed ${await closed}`].join("\n");
}

async function inChromium(page, url) {
  const executablePath = process.env.SWALE_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const tab = await browser.newPage({ ignoreHTTPSErrors: true });
    await tab.goto(page);
    return await tab.evaluate(talk, url);
  } finally {
    await browser.close();
  }
}

async function inFirefox(page, url) {
  const profile = mkdtempSync(join(tmpdir(), "swale-test-"));
  const arguments_ = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const browser = spawn("firefox-esr", arguments_, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: profile } });
  const gone = once(browser, "close");
  try {
    return await drive(await address(browser.stderr), page, url);
  } finally {
    browser.kill();
    await gone;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function address(output) {
  for await (const line of createInterface({ input: output })) {
    const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line);
    if (found) return found[1];
  }
  throw new Error("Firefox does not say where it listens");
}

async function drive(where, page, url) {
  const driver = new WebSocket(`${where}/session`);
  await once(driver, "open");
  let last = 0;
  const command = (method, params) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      driver.on("message", (data) => {
        const answer = JSON.parse(data);
        if (answer.id === id) answer.type === "success" ? resolve(answer.result) : reject(new Error(answer.message));
      });
      driver.send(JSON.stringify({ id, method, params }));
    });
  await command("session.new", { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
  const { contexts } = await command("browsingContext.getTree", {});
  const { context } = contexts[0];
  await command("browsingContext.navigate", { context, url: page, wait: "complete" });
  const { result, exceptionDetails } = await command("script.evaluate", {
    expression: `(${talk})(${JSON.stringify(url)})`,
    target: { context },
    awaitPromise: true,
  });
  if (!result) throw new Error(exceptionDetails.text);
  return result.value;
}

const [browser, url] = process.argv.slice(2);
const page = url.replace(/^ws/, "http").replace(/echo$/, "healthz");
console.log(await (browser === "firefox" ? inFirefox : inChromium)(page, url));
process.exit(0);
