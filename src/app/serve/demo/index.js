// index.js - the landing page: the last minute of this server's traffic, as the water in a swale.

import { formatCount, formatMicros, Live, showStatus, stillness, styleOf } from "./swale.js";
import { openMetrics, rates, readSnapshot } from "./metrics.js";

const WINDOW = 60_000;
const show = (id, text) => (document.getElementById(id).textContent = text);

// ---- Figures

const metrics = openMetrics();
const surface = []; // { at, traffic } of the last minute
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
  const traffic = rate.messagesIn + rate.messagesOut;
  show("messages", formatCount(traffic));
  surface.push({ at: performance.now(), traffic });
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

// ---- The water: the traffic as its surface, and the banks like the contour lines of a map

const canvas = document.getElementById("water");
const text = document.querySelector(".hero-text"); // it leaves the room below it to the water
const BANKS = 11;
const DEPTHS = 4;
const WIDE = 720; // from here on the right bank rises beside the text
const QUIET = 12; // messages a second that make waves at least

// The traffic at a time, by a soft step between its neighbours.
function trafficAt(at) {
  const next = surface.findIndex((point) => point.at >= at);
  if (next === 0 || surface.length === 0) return surface[0]?.traffic ?? 0;
  if (next === -1) return surface.at(-1).traffic;
  const [a, b] = [surface[next - 1], surface[next]];
  const share = (at - a.at) / (b.at - a.at);
  return a.traffic + (b.traffic - a.traffic) * soft(share);
}

const soft = (share) => share * share * (3 - 2 * share);

// How high the land lies above the bed, from left to right: low under the text, lowest in the bed, high on the right.
function landAt(share, left, right) {
  const bed = 0.62;
  return share < bed ? left * soft(1 - share / bed) : right * soft((share - bed) / (1 - bed));
}

let waveScale = 0; // follows softly

function draw() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);

  const room = parseFloat(getComputedStyle(text).paddingBottom);
  const still = height - 0.28 * room;
  const most = Math.max(QUIET, ...surface.map((point) => point.traffic));
  waveScale += ((0.45 * room) / most - waveScale) * (waveScale === 0 || stillness.matches ? 1 : 0.08);
  const now = performance.now() - 1000;
  const columns = [];
  for (let x = 0; x < width + 4; x += 4) {
    const share = x / width;
    const wave = Math.min(0.5 * room, trafficAt(now - (1 - share) * WINDOW) * waveScale);
    const land = landAt(share, 0.45 * room, width < WIDE ? 0.62 * room : 0.8 * height);
    columns.push({ x, wave, land: land + 0.18 * room });
  }
  drawBanks(pen, columns, still);
  drawWater(pen, columns, still, width, height);
}

function drawBanks(pen, columns, still) {
  pen.strokeStyle = styleOf("--grass");
  pen.lineWidth = 1.25;
  for (let line = 1; line <= BANKS; line++) {
    const rise = line / BANKS;
    pen.globalAlpha = 0.55 - 0.42 * rise;
    pen.beginPath();
    for (const { x, wave, land } of columns) pen.lineTo(x, still - rise * land - wave * (1 - rise) ** 2);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function drawWater(pen, columns, still, width, height) {
  pen.strokeStyle = pen.fillStyle = styleOf("--water");
  for (let depth = 0; depth < DEPTHS; depth++) {
    const calm = 1 - depth / DEPTHS;
    pen.beginPath();
    for (const { x, wave } of columns) pen.lineTo(x, still + (depth / DEPTHS) * (height - still) - wave * calm * calm);
    pen.globalAlpha = depth === 0 ? 1 : 0.35 * calm;
    pen.lineWidth = depth === 0 ? 2 : 1;
    pen.stroke();
    pen.lineTo(width, height);
    pen.lineTo(0, height);
    pen.globalAlpha = 0.07;
    pen.fill();
  }
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
