// index.js - the landing page: the last minute of this server's traffic, as the water in a swale.

import { formatCount, formatMicros, Live, showStatus, stillness, styleOf } from "./swale.js";
import { openMetrics, rates, readSnapshot } from "./metrics.js";

const WINDOW = 60_000;
const show = (id, text) => (document.getElementById(id).textContent = text);

// ---- Figures

const metrics = openMetrics();
const surface = []; // { at, level } of the last minute
let last = null;

showStatus(document.getElementById("status"), metrics);
metrics.addEventListener("open", () => (last = null));
metrics.addEventListener("message", ({ data }) => {
  const snapshot = readSnapshot(data);
  if (!snapshot) return;
  const rate = last && rates(last, snapshot);
  last = snapshot;
  show("open", formatCount(snapshot.open));
  show("lag", formatMicros(snapshot.lagLast));
  if (!rate) return;
  const messages = rate.messagesIn + rate.messagesOut;
  show("messages", formatCount(messages));
  surface.push({ at: performance.now(), level: Math.log10(1 + messages) });
  while (surface.length > 1 && surface[1].at < performance.now() - WINDOW - 2000) surface.shift();
  if (stillness.matches) draw();
});

// ---- Round trip, by /echo

const echo = new Live("echo");
let sentAt = 0;

setInterval(() => {
  if (document.hidden) return;
  sentAt = performance.now();
  echo.send("how far is it?");
}, 1000);
echo.addEventListener("message", () => show("trip", formatMicros((performance.now() - sentAt) * 1000)));

show("snippet", [
  `const ws = new WebSocket("${new URL("echo", document.baseURI.replace(/^http/, "ws"))}");`,
  "ws.onmessage = (event) => console.log(event.data);",
  'ws.onopen = () => ws.send("hello");',
].join("\n"));

// ---- The water: banks like the contour lines of a map, and the traffic as its surface

const canvas = document.getElementById("water");
const LINES = 9;
const FULL = 4.5; // 10^4.5 messages a second fill the swale

// The level at a time, by a smooth step between its neighbours.
function levelAt(at) {
  let before = surface[0];
  for (const point of surface) {
    if (point.at >= at) {
      const share = point === before ? 0 : (at - before.at) / (point.at - before.at);
      const soft = share * share * (3 - 2 * share);
      return before.level + (point.level - before.level) * Math.max(0, soft);
    }
    before = point;
  }
  return before ? before.level : 0;
}

function draw() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const now = performance.now() - 1000;
  const levels = [];
  for (let x = 0; x <= width; x += 3) {
    const share = x / width;
    levels.push({ x, share, level: Math.min(1, levelAt(now - (1 - share) * WINDOW) / FULL) });
  }
  for (let line = LINES; line >= 1; line--) drawBank(pen, levels, height, line / LINES);
  drawWater(pen, levels, width, height);
}

// How deep the ground lies under the highest bank, 0 to 1: a valley, off the middle.
const valley = (share) => 0.5 - 0.5 * Math.cos(2 * Math.PI * Math.min(1, Math.max(0, share * 0.86 + 0.07)));

function drawBank(pen, levels, height, rise) {
  pen.beginPath();
  for (const { x, share, level } of levels) {
    const bank = height * (0.86 - 0.98 * rise * (1 - 0.55 * valley(share)));
    pen.lineTo(x, bank - height * 0.5 * level * (1 - rise));
  }
  pen.strokeStyle = styleOf("--grass");
  pen.globalAlpha = 0.5 * (1 - rise) + 0.08;
  pen.lineWidth = 1.25;
  pen.stroke();
  pen.globalAlpha = 1;
}

function drawWater(pen, levels, width, height) {
  pen.beginPath();
  for (const { x, level } of levels) pen.lineTo(x, height * (0.86 - 0.5 * level));
  pen.strokeStyle = pen.fillStyle = styleOf("--water");
  pen.lineWidth = 2;
  pen.stroke();
  pen.lineTo(width, height);
  pen.lineTo(0, height);
  pen.globalAlpha = 0.14;
  pen.fill();
  pen.globalAlpha = 1;
}

function flow() {
  draw();
  if (!stillness.matches) requestAnimationFrame(flow);
}
new ResizeObserver(draw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
stillness.addEventListener("change", flow);
flow();
