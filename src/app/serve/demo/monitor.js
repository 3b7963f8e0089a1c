// monitor.js - charts of the server's own figures, and a little load to see them move.

import { element, formatBytes, formatCount, formatMicros, Live, showStatus } from "./swale.js";
import { openMetrics, rates, readSnapshot } from "./metrics.js";
import { Chart } from "./chart.js";

const byId = (id) => document.getElementById(id);

// ---- Charts

// Each takes from a snapshot and its rates what it shows; null leaves a gap.
const charts = [
  chart("messages", ["--water", "--grass"], (now, rate) => rate && [rate.messagesIn, rate.messagesOut], {
    format: formatCount,
    floor: 10,
    mirrored: true,
  }),
  chart("bytes", ["--water", "--grass"], (now, rate) => rate && [rate.bytesIn, rate.bytesOut], {
    format: formatBytes,
    floor: 1000,
    mirrored: true,
  }),
  chart("connections", ["--water", "--sun"], (now) => [now.open, now.handshaking], { format: formatCount, floor: 4 }),
  chart("queued", ["--water"], (now) => [now.queued], { format: formatBytes, floor: 1000 }),
  chart("lag", ["--grass", "--sun"], (now) => [now.lagLast, now.lagMax], { format: formatMicros, floor: 100 }),
];

function chart(id, colours, pick, options) {
  const legend = colours.map((colour, index) => {
    const entry = byId(`${id}-${index}`);
    entry.style.setProperty("--colour", `var(${colour})`);
    return entry;
  });
  const series = colours.map((colour, index) => ({ name: legend[index].firstChild.data.trim(), colour }));
  return { line: new Chart(byId(id), series, options), legend, format: options.format, pick };
}

function feedCharts(now, rate) {
  for (const { line, legend, format, pick } of charts) {
    const values = now && pick(now, rate);
    line.push(values);
    legend.forEach((entry, index) => (entry.querySelector("b").textContent = values ? format(values[index]) : "–"));
  }
}

// ---- Snapshots

const metrics = openMetrics();
let last = null;

showStatus(byId("status"), metrics);
metrics.addEventListener("state", () => {
  if (metrics.state === "reconnecting" && last) feedCharts(null);
  if (metrics.state !== "live") last = null;
});
metrics.addEventListener("message", ({ data }) => {
  const now = readSnapshot(data);
  if (!now) return;
  feedCharts(now, last && rates(last, now));
  for (const id of ["opened", "topics", "subscriptions", "delivered", "dropped"])
    byId(id).textContent = formatCount(now[id]);
  showReasons(byId("closed"), now.closed, "--water");
  showReasons(byId("refused"), now.refused, "--sun");
  last = now;
});

function showReasons(list, reasons, colour) {
  const most = Math.max(...reasons.values());
  const lines = [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, count]) => {
    const line = element("li");
    line.style.setProperty("--colour", `var(${colour})`);
    line.style.setProperty("--share", count / most);
    line.append(element("span", "", reason), element("span", "", formatCount(count)));
    return line;
  });
  list.replaceChildren(...(lines.length > 0 ? lines : [element("li", "empty", "none so far")]));
}

// ---- Load: messages of 64 bytes to /echo, as many as were asked for and the way takes

const TURN = 50; // milliseconds
const FULL = 256 * 1024; // waiting bytes at which it holds back
const payload = "x".repeat(64);
let echo = null;
let wanted = 0; // a second
let owed = 0;
let back = 0;

byId("load").addEventListener("change", (event) => {
  wanted = Number(event.target.value);
  if (wanted > 0 && !echo) {
    echo = new Live("echo");
    echo.addEventListener("message", () => back++);
  }
});

setInterval(() => {
  if (!echo || wanted === 0) return;
  owed = Math.min(owed + (wanted * TURN) / 1000, wanted);
  for (; owed >= 1 && echo.buffered < FULL; owed--) if (!echo.send(payload)) break;
}, TURN);

setInterval(() => {
  if (!echo) return;
  byId("load-state").textContent = `${formatCount(back)} echoes came back in the last second.`;
  back = 0;
}, 1000);
