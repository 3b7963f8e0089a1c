// demo.test.mjs - the demo's pages in a real browser, against the real program.
//
// SWALE_CHROMIUM names the browser (/usr/bin/chromium). With SWALE_SCREENSHOTS=DIR each page leaves its pictures there.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Program, SLACK } from "../lib/program.mjs";

const PAGES = ["index", "chat", "board", "scores", "monitor"];
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESKTOP = { viewport: { width: 1280, height: 860 } };
const PATIENCE = 15_000 * SLACK;
// What the browser itself writes when nobody listens, and nothing else.
const REFUSED = /^WebSocket connection to 'ws:\/\/127\.0\.0\.1:\d+\/[^']*' failed: .*ERR_CONNECTION_(REFUSED|RESET)/;

let browser;
let program;
let port;
let away = false; // while the server is down on purpose
const faults = [];

// A tab, watched: whatever it complains of, or asks of another host, is a fault.
async function openTab(page, settings = DESKTOP) {
  const context = await browser.newContext(settings);
  const tab = await context.newPage();
  const fault = (text) => faults.push(`${page}: ${text}`);
  const judgeUrl = (url) => new URL(url).host === `127.0.0.1:${port}` || fault(`asks for ${url}`);
  tab.on("pageerror", (error) => fault(error.stack));
  tab.on("console", (message) => {
    if (!["error", "warning"].includes(message.type())) return;
    if (!(away && REFUSED.test(message.text()))) fault(`${message.type()} ${message.text()}`);
  });
  tab.on("request", (request) => judgeUrl(request.url()));
  tab.on("websocket", (socket) => judgeUrl(socket.url()));
  tab.on("response", (answer) => answer.status() < 400 || fault(`${answer.status()} for ${answer.url()}`));
  await tab.goto(`http://127.0.0.1:${port}/${page === "index" ? "" : `${page}.html`}`);
  return tab;
}

const closeTab = (tab) => tab.context().close();

async function until(what, condition) {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`${what}: not within ${PATIENCE / 1000} s`);
    await sleep(50);
  }
}

const stateOf = (tab) => tab.getAttribute("#status", "data-state");
const isLive = (tab) => until("live", async () => (await stateOf(tab)) === "live");
const textOf = (tab, selector) => tab.textContent(selector);
const numberOf = async (tab, selector) => Number((await textOf(tab, selector)).replace(/[^0-9.]/g, "") || NaN);

function noFaults() {
  assert.deepEqual(faults.splice(0), []);
}

async function say(tab, text) {
  await tab.fill("#text", text);
  await tab.press("#text", "Enter");
}

const said = async (tab) => tab.locator(".said .text").allTextContents();
const hears = (tab, text) => until(`"${text}" is heard`, async () => (await said(tab)).includes(text));

// How many pixels of a canvas are painted, and a number that changes with them.
const painted = (tab, selector) =>
  tab.evaluate((which) => {
    const canvas = document.querySelector(which);
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    let count = 0;
    let sum = 0;
    for (let n = 0; n < data.length; n += 4) {
      if (data[n + 3] === 0) continue;
      count++;
      sum = (sum * 31 + n + data[n] + data[n + 1] * 3 + data[n + 2] * 7) % 1_000_000_007;
    }
    return { count, sum };
  }, selector);

describe("the demo", { timeout: 500_000 * SLACK }, () => {
  before(async () => {
    program = await Program.start();
    port = program.port;
    browser = await chromium.launch({
      executablePath: process.env.SWALE_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
        ...["--disable-background-networking", "--disable-component-update"],
      ],
    });
  });

  after(async () => {
    await browser?.close();
    await program?.stop();
  });

  describe("every page", { timeout: 240_000 * SLACK }, () => {
    for (const [device, settings] of [["phone", PHONE], ["desktop", DESKTOP]]) {
      for (const colorScheme of ["light", "dark"]) {
        it(`is whole on a ${device}, ${colorScheme}`, async () => {
          for (const page of PAGES) await judgePage(page, device, { ...settings, colorScheme });
          noFaults();
        });
      }
    }

    async function judgePage(page, device, settings) {
      const tab = await openTab(page, settings);
      await isLive(tab);
      const seen = await tab.evaluate(() => ({
        wide: document.documentElement.scrollWidth - innerWidth,
        title: document.title,
        heading: document.querySelectorAll("h1").length,
        paper: getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number),
        nameless: [...document.querySelectorAll("button, input, textarea, a, [role=img]")]
          .filter((e) => !(e.textContent.trim() || e.labels?.length || e.getAttribute("aria-label")))
          .map((e) => e.outerHTML),
        inline: document.querySelectorAll("script:not([src]), style, [style*=expression], [onclick]").length,
      }));
      assert.ok(seen.wide <= 0, `${page} is ${seen.wide} pixels too wide on a ${device}`);
      assert.match(seen.title, /Swale/);
      assert.equal(seen.heading, 1, `${page}: headings of the first order`);
      assert.equal(seen.paper[0] > 128 ? "light" : "dark", settings.colorScheme, `${page}: ${seen.paper}`);
      assert.deepEqual(seen.nameless, [], `${page}: things without a name`);
      assert.equal(seen.inline, 0, `${page}: inline scripts or styles`);
      if (process.env.SWALE_SCREENSHOTS) {
        await sleep(4000);
        const path = join(process.env.SWALE_SCREENSHOTS, `${page}-${device}-${settings.colorScheme}.png`);
        await tab.screenshot({ path, fullPage: true });
      }
      await closeTab(tab);
    }
  });

  describe("the landing page", { timeout: 60_000 * SLACK }, () => {
    it("shows the server's figures and its traffic", async () => {
      const tab = await openTab("index");
      await until("figures", async () => (await numberOf(tab, "#open")) >= 2);
      await until("a round trip", async () => /(µs|ms)$/.test(await textOf(tab, "#trip")));
      await until("traffic", async () => (await numberOf(tab, "#messages")) >= 1);
      assert.ok((await painted(tab, "#water")).count > 10_000);
      for (const path of ["metrics", "healthz"]) {
        const status = await tab.evaluate(async (where) => (await fetch(where)).status, path);
        assert.equal(status, 200, path);
      }
      await closeTab(tab);
      noFaults();
    });
  });

  describe("reduced motion", { timeout: 60_000 * SLACK }, () => {
    it("still draws, without moving on its own", async () => {
      for (const [page, selector] of [["index", "#water"], ["monitor", "#connections"]]) {
        const tab = await openTab(page, { ...DESKTOP, reducedMotion: "reduce" });
        await isLive(tab);
        const blank = (await painted(tab, selector)).count;
        await until(`${page} draws`, async () => (await painted(tab, selector)).count > Math.min(blank, 5000));
        await closeTab(tab);
      }
      noFaults();
    });
  });

  describe("the chat", { timeout: 120_000 * SLACK }, () => {
    let ada;
    let bob;

    before(async () => {
      [ada, bob] = await Promise.all([openTab("chat"), openTab("chat", PHONE)]);
      for (const [tab, name] of [[ada, "Ada"], [bob, "Bob"]]) {
        await isLive(tab);
        await tab.fill("#name", name);
        await tab.press("#name", "Enter");
      }
    });
    after(() => Promise.all([ada, bob].map((tab) => tab && closeTab(tab))));

    it("goes both ways, and knows who speaks and who is here", async () => {
      await say(ada, "Hello Bob");
      assert.ok((await said(ada)).includes("Hello Bob"), "one's own message is there at once");
      await hears(bob, "Hello Bob");
      assert.equal(await textOf(bob, ".said .who"), "Ada");
      await say(bob, "Hello <b>Ada</b> & all");
      await hears(ada, "Hello <b>Ada</b> & all");
      assert.equal(await ada.locator(".said b").count(), 0, "what others write is text");
      await until("a receipt", async () => /out and back/.test(await textOf(bob, ".mine .receipt")));
      const lists = (tab, name) => until(`${name} is here`, async () => (await textOf(tab, "#people")).includes(name));
      await Promise.all([lists(ada, "Bob"), lists(bob, "Ada")]);
      noFaults();
    });

    for (const [end, how] of [["kill", "crashed"], ["stop", "was stopped"]]) {
      it(`comes back by itself after the server ${how}`, async () => {
        away = true;
        await program[end]();
        for (const tab of [ada, bob])
          await until("reconnecting", async () => (await stateOf(tab)) === "reconnecting");
        assert.match(await textOf(ada, "#status"), /Reconnecting (in \d+ s|now) \(try \d+\)/);
        await say(ada, `written while it was away, ${end}`);
        program = await Program.start({ port });
        await Promise.all([isLive(ada), isLive(bob)]);
        away = false;
        await hears(bob, `written while it was away, ${end}`);
        await say(bob, `here again, ${end}`);
        await hears(ada, `here again, ${end}`);
        for (const tab of [ada, bob]) {
          const all = await said(tab);
          assert.equal(new Set(all).size, all.length, `said once, shown once: ${all}`);
        }
        noFaults();
      });
    }

    it("tells when somebody leaves", async () => {
      await bob.goto(`http://127.0.0.1:${port}/`);
      await until("Bob has left", async () => /Bob has left/.test(await textOf(ada, "#talk")));
      noFaults();
    });
  });

  describe("the board", { timeout: 120_000 * SLACK }, () => {
    it("moves cursors of one tab in the other, more than 30 times a second", async () => {
      const [pilot, watcher] = await Promise.all([openTab("board"), openTab("board", PHONE)]);
      await Promise.all([isLive(pilot), isLive(watcher)]);
      const still = await painted(watcher, "#board");
      await pilot.check("#pilot");
      await until("somebody is here", async () => /Here too: \w+ \w+/.test(await textOf(watcher, "#others")));
      const least = 30 / SLACK;
      await until("it sends", async () => (await numberOf(pilot, "#sent")) > least);
      await until("it gets its own back", async () => (await numberOf(pilot, "#received")) > least);
      await until("the other gets them", async () => (await numberOf(watcher, "#received")) > least);
      await until("a round trip", async () => (await numberOf(pilot, "#median")) > 0);
      const seen = await painted(watcher, "#board");
      assert.ok(seen.count > still.count, "a cursor is drawn");
      await until("it moves", async () => (await painted(watcher, "#board")).sum !== seen.sum);
      await pilot.uncheck("#pilot");
      await until("it has gone", async () => /Nobody/.test(await textOf(watcher, "#others")));
      await closeTab(pilot);
      await closeTab(watcher);
      noFaults();
    });

    it("follows a mouse and the keyboard", async () => {
      const [hand, watcher] = await Promise.all([openTab("board"), openTab("board")]);
      await Promise.all([isLive(hand), isLive(watcher)]);
      await hand.hover("#board", { position: { x: 200, y: 100 } });
      await until("somebody is here", async () => /Here too/.test(await textOf(watcher, "#others")));
      await hand.focus("#board");
      const seen = (await painted(watcher, "#board")).sum;
      for (let n = 0; n < 5; n++) await hand.press("#board", "ArrowRight");
      await until("it moves", async () => (await painted(watcher, "#board")).sum !== seen);
      await closeTab(hand);
      await until("it has gone", async () => /Nobody/.test(await textOf(watcher, "#others")));
      await closeTab(watcher);
      noFaults();
    });
  });

  describe("the ticker", { timeout: 60_000 * SLACK }, () => {
    it("shows matches, and their minutes pass", async () => {
      const tab = await openTab("scores");
      await until("matches", async () => (await tab.locator(".match .team").count()) >= 2);
      const minutes = () => tab.locator(".match .minute").allTextContents();
      const first = (await minutes()).join();
      await until("a minute passes", async () => (await minutes()).join() !== first);
      await closeTab(tab);
      noFaults();
    });
  });

  describe("the monitor", { timeout: 120_000 * SLACK }, () => {
    it("draws what the server says, and its own load", async () => {
      const tab = await openTab("monitor");
      await until("figures", async () => (await numberOf(tab, "#opened")) >= 1);
      const opened = await numberOf(tab, "#opened");
      const lines = (await painted(tab, "#connections")).count;
      await tab.check("input[value='1000']", { force: true });
      await until("one more connection", async () => (await numberOf(tab, "#opened")) > opened);
      await until("its messages", async () => (await numberOf(tab, "#messages-0 b")) > 100);
      await until("echoes", async () => (await numberOf(tab, "#load-state")) > 100);
      await until("a line", async () => (await painted(tab, "#connections")).count > lines);
      assert.ok((await painted(tab, "#messages")).count > 0);
      await tab.check("input[value='0']", { force: true });
      await closeTab(tab);
      noFaults();
    });

    it("names the reasons of refusals", async () => {
      const tab = await openTab("monitor");
      await isLive(tab);
      const request = await tab.context().request.get(`http://127.0.0.1:${port}/nowhere`);
      assert.equal(request.status(), 404);
      await until("the reason", async () => /not-found/.test(await textOf(tab, "#refused")));
      await closeTab(tab);
      noFaults();
    });
  });
});
