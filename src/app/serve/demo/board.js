// board.js - everyone's cursor, sixty times a second, on /topic/cursors?self=1.
//
// Each tab sends where its cursor is at a fixed rate, as a game sends its state: in 16 bytes, and rather nothing than
// something stale when the way is full. The others draw it a little later than it came (DELAY), between two
// positions that they have, so that the movement is smooth although messages come unevenly.

import { colourOf, formatCount, formatMicros, Live, nameOf, random32, showStatus, styleOf } from "./swale.js";

const RATE = 60;
const DELAY = 60; // milliseconds
const GONE = 3000;
const INK = 4000; // how long a line stays
const SIZE = 16;
const VERSION = 1;
const PRESSED = 1;
const LEFT = 2;

const canvas = document.getElementById("board");
const show = (id, text) => (document.getElementById(id).textContent = text);

const me = { id: random32(), x: 0.5, y: 0.5, here: false, pressed: false, sequence: 0, ink: [], echo: null };
const others = new Map(); // id -> { samples, offset, heard, ink }

const live = new Live("topic/cursors?self=1");
showStatus(document.getElementById("status"), live);

live.addEventListener("state", () => {
  if (live.state === "live") return;
  me.echo = null;
  others.clear();
});

// ---- The wire (README.md)

function encode(flags, now) {
  const view = new DataView(new ArrayBuffer(SIZE));
  view.setUint8(0, VERSION);
  view.setUint8(1, flags);
  view.setUint16(2, me.sequence++ & 0xffff);
  view.setUint32(4, me.id);
  view.setUint16(8, Math.round(me.x * 65535));
  view.setUint16(10, Math.round(me.y * 65535));
  view.setUint32(12, Math.round(now * 10) >>> 0);
  return view.buffer;
}

function decode(data) {
  if (!(data instanceof ArrayBuffer) || data.byteLength !== SIZE) return null;
  const view = new DataView(data);
  if (view.getUint8(0) !== VERSION) return null;
  const flags = view.getUint8(1);
  return {
    pressed: (flags & PRESSED) !== 0,
    left: (flags & LEFT) !== 0,
    id: view.getUint32(4),
    x: view.getUint16(8) / 65535,
    y: view.getUint16(10) / 65535,
    sentAt: view.getUint32(12) / 10,
  };
}

// ---- Sending

const pilot = document.getElementById("pilot");
let nextAt = 0;
let waved = true; // the others know that we left

function send(now) {
  if (pilot.checked) steer(now);
  const here = me.here || pilot.checked;
  if (now < nextAt || (!here && waved)) return;
  nextAt = Math.max(nextAt + 1000 / RATE, now - 1000 / RATE);
  if (live.buffered > 64 * SIZE) return;
  if (!live.send(encode(here ? (me.pressed ? PRESSED : 0) : LEFT, now))) return;
  waved = !here;
  sent.count(now);
}

// A calm figure that never quite repeats, starting anywhere.
const phase = Math.random() * 100;
function steer(now) {
  const t = now / 1000 + phase;
  me.x = 0.5 + 0.36 * Math.sin(t * 0.9) + 0.06 * Math.sin(t * 2.3);
  me.y = 0.5 + 0.34 * Math.sin(t * 1.31 + 1) + 0.06 * Math.cos(t * 3.1);
  me.pressed = Math.sin(t * 0.53) > 0.2;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  me.x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  me.y = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  me.here = true;
}

canvas.addEventListener("pointermove", place);
canvas.addEventListener("pointerdown", (event) => {
  place(event);
  canvas.setPointerCapture(event.pointerId);
  me.pressed = true;
});
canvas.addEventListener("pointerup", (event) => {
  me.pressed = false;
  if (event.pointerType === "touch") me.here = false;
});
canvas.addEventListener("pointercancel", leave);
canvas.addEventListener("pointerleave", leave);
canvas.addEventListener("blur", leave);

function leave() {
  me.here = me.pressed = false;
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step && event.key !== " ") return;
  event.preventDefault();
  me.here = true;
  if (!step) me.pressed = true;
  else {
    me.x = Math.min(1, Math.max(0, me.x + step[0] * 0.015));
    me.y = Math.min(1, Math.max(0, me.y + step[1] * 0.015));
  }
});
canvas.addEventListener("keyup", (event) => {
  if (event.key === " ") me.pressed = false;
});

// ---- Receiving

live.addEventListener("message", ({ data }) => {
  const cursor = decode(data);
  if (!cursor) return;
  const now = performance.now();
  received.count(now);
  if (cursor.id === me.id) hearOwn(cursor, now);
  else if (cursor.left) others.delete(cursor.id);
  else hearOther(cursor, now);
});

function hearOwn(cursor, now) {
  me.echo = cursor;
  trips.push(now - cursor.sentAt);
  if (trips.length > 4 * RATE) trips.shift();
}

// `offset` leads from the sender's clock to ours. The quickest message tells it best; it may rise slowly, since
// clocks drift.
function hearOther(cursor, now) {
  const known = others.get(cursor.id);
  const peer = known ?? { samples: [], offset: Infinity, heard: 0, ink: [] };
  if (!known) others.set(cursor.id, peer);
  peer.offset = Math.min(peer.offset + 0.01, now - cursor.sentAt);
  peer.heard = now;
  peer.samples.push(cursor);
  if (peer.samples.length > RATE) peer.samples.shift();
}

// Where this one was DELAY ago: between the two samples around that moment.
function positionOf(peer, now) {
  const at = now - peer.offset - DELAY;
  const { samples } = peer;
  const next = samples.findIndex((sample) => sample.sentAt >= at);
  if (next === -1) return samples.at(-1);
  if (next === 0) return samples[0];
  const [a, b] = [samples[next - 1], samples[next]];
  const share = (at - a.sentAt) / (b.sentAt - a.sentAt || 1);
  return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share, pressed: a.pressed && b.pressed };
}

// ---- Drawing

function draw(now) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  drawGround(pen, width, height);

  for (const [id, peer] of others) {
    if (now - peer.heard > GONE) {
      others.delete(id);
      continue;
    }
    const at = positionOf(peer, now);
    const colour = styleOf(colourOf(id));
    drawInk(pen, leaveInk(peer.ink, at, now), colour, now, width, height);
    drawCursor(pen, at.x * width, at.y * height, colour, nameOf(id));
  }
  const colour = styleOf("--ink");
  drawInk(pen, leaveInk(me.ink, me, now), colour, now, width, height);
  if (me.here || pilot.checked) {
    drawEcho(pen, colour, width, height);
    drawCursor(pen, me.x * width, me.y * height, colour, "You");
  }
}

function drawGround(pen, width, height) {
  pen.fillStyle = styleOf("--line");
  for (let x = 14; x < width; x += 28) for (let y = 14; y < height; y += 28) pen.fillRect(x, y, 1.5, 1.5);
}

// Adds a point where `at` presses, and takes away what has dried. A lifted pen leaves a gap.
function leaveInk(ink, at, now) {
  const { x, y, pressed } = at;
  const last = ink.at(-1);
  if (pressed && (!last || last.x !== x || last.y !== y)) ink.push({ x, y, now });
  else if (!pressed && last && !last.lifted) last.lifted = true;
  while (ink.length > 0 && ink[0].now < now - INK) ink.shift();
  return ink;
}

function drawInk(pen, ink, colour, now, width, height) {
  pen.strokeStyle = colour;
  pen.lineWidth = 3.5;
  for (let n = 1; n < ink.length; n++) {
    if (ink[n - 1].lifted) continue;
    pen.globalAlpha = Math.max(0, 1 - (now - ink[n].now) / INK) * 0.75;
    pen.beginPath();
    pen.moveTo(ink[n - 1].x * width, ink[n - 1].y * height);
    pen.lineTo(ink[n].x * width, ink[n].y * height);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

const ARROW = new Path2D("M0 0L4.5 18L9.3 11.2L17.5 10.2Z");

function drawCursor(pen, x, y, colour, name) {
  pen.save();
  pen.translate(x, y);
  pen.fillStyle = colour;
  pen.strokeStyle = styleOf("--surface");
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.stroke(ARROW);
  pen.fill(ARROW);
  pen.font = `600 12px ${styleOf("--sans")}`;
  const width = pen.measureText(name).width;
  pen.beginPath();
  pen.roundRect(14, 18, width + 14, 21, 6);
  pen.fill();
  pen.fillStyle = styleOf("--surface");
  pen.fillText(name, 21, 32.5);
  pen.restore();
}

function drawEcho(pen, colour, width, height) {
  if (!me.echo) return;
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.55;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.arc(me.echo.x * width, me.echo.y * height, 12, 0, 2 * Math.PI);
  pen.stroke();
  pen.globalAlpha = 1;
}

// ---- Figures

class Meter {
  #times = [];

  count(now) {
    this.#times.push(now);
  }

  // In the last second.
  read(now) {
    const first = this.#times.findIndex((at) => at > now - 1000);
    this.#times.splice(0, first === -1 ? this.#times.length : first);
    return this.#times.length;
  }
}

const sent = new Meter();
const received = new Meter();
const trips = []; // round trips of the last seconds, in milliseconds

setInterval(() => {
  const now = performance.now();
  const sorted = [...trips].sort((a, b) => a - b);
  const at = (share) => (sorted.length > 0 ? formatMicros(sorted[Math.floor(sorted.length * share)] * 1000) : "–");
  show("sent", formatCount(sent.read(now)));
  show("received", formatCount(received.read(now)));
  show("median", at(0.5));
  show("high", at(0.99));
  const names = [...others.keys()].map(nameOf);
  const some = names.slice(0, 6).join(", ") + (names.length > 6 ? " and more" : "");
  show("others", names.length === 0 ? "Nobody else is here." : `Here too: ${some}`);
}, 500);

function turn() {
  const now = performance.now();
  send(now);
  draw(now);
  requestAnimationFrame(turn);
}
turn();
