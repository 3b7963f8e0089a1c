// chart.js - line charts of the last minutes, drawn by hand on a canvas.
//
// Time runs from the left to the right edge. A mirrored chart shows its first series above and its second below a
// common line, so that two that are alike, as what goes in and out, don't hide each other. A chart that may move shows
// the time of a second ago at its right edge, so that a new point slides in instead of popping up; with reduced motion
// it is drawn once per point.

import { stillness, styleOf } from "./swale.js";

const WINDOW = 120_000; // milliseconds across the chart
const FIRST_WINDOW = 30_000; // with which it begins
const SLIDE = 1000;
const TOP = 14; // room for the uppermost label

export class Chart {
  #canvas;
  #series;
  #format;
  #floor;
  #mirrored;
  #points = []; // { at, values }: values are null across a gap
  #ceiling = 0; // top of the scale, following the highest value softly
  #pointer = null;
  #frame = 0;

  // `series`: { name, colour: "--water" } each. `floor`: the least top of the scale.
  constructor(canvas, series, { format = String, floor = 1, mirrored = false } = {}) {
    this.#canvas = canvas;
    this.#series = series;
    this.#format = format;
    this.#floor = floor;
    this.#mirrored = mirrored;
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(() => this.#schedule()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#schedule());
  }

  push(values) {
    const now = performance.now();
    this.#points.push({ at: now, values });
    while (this.#points.length > 2 && this.#points[1].at < now - WINDOW - 2 * SLIDE) this.#points.shift();
    this.#schedule();
  }

  #point(x) {
    this.#pointer = x;
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
      if (!stillness.matches && this.#points.length > 0) this.#schedule();
    });
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio || 1;
    if (width === 0 || height === 0) return;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `10px ${styleOf("--mono")}`;

    const view = this.#view(width, height);
    this.#drawScale(pen, view);
    this.#series.forEach((series, index) => this.#drawSeries(pen, view, series, index));
    if (this.#pointer !== null) this.#drawReading(pen, view);
  }

  // Where a time and a value lie on the canvas.
  #view(width, height) {
    const end = performance.now() - (stillness.matches ? 0 : SLIDE);
    const span = Math.min(WINDOW, Math.max(FIRST_WINDOW, end - (this.#points[0]?.at ?? end)));
    const start = end - span;
    const wanted = niceCeiling(Math.max(this.#floor, ...this.#points.map((p) => Math.max(0, ...(p.values ?? [])))));
    const soft = this.#ceiling === 0 || stillness.matches ? 1 : 0.15;
    this.#ceiling += (wanted - this.#ceiling) * soft;
    if (Math.abs(wanted - this.#ceiling) < wanted / 500) this.#ceiling = wanted;
    const zero = this.#mirrored ? TOP + (height - 2 * TOP) / 2 : height - 1;
    return {
      width,
      height,
      x: (at) => ((at - start) / span) * width,
      y: (value, index) => zero - (this.#sign(index) * value * (zero - TOP)) / this.#ceiling,
      at: (x) => start + (x / width) * span,
    };
  }

  #sign(index) {
    return this.#mirrored && index === 1 ? -1 : 1;
  }

  #drawScale(pen, view) {
    pen.strokeStyle = styleOf("--line");
    pen.fillStyle = styleOf("--faint");
    pen.lineWidth = 1;
    for (const share of this.#mirrored ? [-1, 0, 1] : [0, 0.5, 1]) {
      const value = Math.abs(share) * this.#ceiling;
      const y = Math.round(view.y(value, share < 0 ? 1 : 0)) - 0.5;
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(view.width, y);
      pen.stroke();
      if (share !== 0) pen.fillText(this.#format(value), 0, share < 0 ? y + 11.5 : y - 3.5);
    }
  }

  #drawSeries(pen, view, series, index) {
    const runs = this.#runs(index, view);
    pen.strokeStyle = pen.fillStyle = styleOf(series.colour);
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    for (const run of runs) {
      pen.beginPath();
      run.forEach(([x, y], n) => (n === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
      pen.stroke();
      pen.lineTo(run.at(-1)[0], view.y(0, index));
      pen.lineTo(run[0][0], view.y(0, index));
      pen.globalAlpha = 0.1;
      pen.fill();
      pen.globalAlpha = 1;
    }
  }

  // The line of one series, in pieces between the gaps.
  #runs(index, view) {
    const runs = [];
    let run = null;
    for (const { at, values } of this.#points) {
      if (!values) run = null;
      else if (run) run.push([view.x(at), view.y(values[index], index)]);
      else runs.push((run = [[view.x(at), view.y(values[index], index)]]));
    }
    return runs;
  }

  #drawReading(pen, view) {
    const wanted = view.at(this.#pointer);
    const near = this.#points
      .filter((p) => p.values)
      .reduce((best, p) => (!best || Math.abs(p.at - wanted) < Math.abs(best.at - wanted) ? p : best), null);
    if (!near) return;
    const x = view.x(near.at);
    pen.strokeStyle = styleOf("--faint");
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, view.height);
    pen.stroke();
    const text = this.#series.map((s, n) => `${s.name} ${this.#format(near.values[n])}`).join("   ");
    const width = pen.measureText(text).width;
    const left = Math.min(Math.max(x - width / 2, 8), view.width - width - 8);
    pen.fillStyle = styleOf("--ink");
    pen.beginPath();
    pen.roundRect(left - 7, 0, width + 14, 18, 4);
    pen.fill();
    pen.fillStyle = styleOf("--surface");
    pen.fillText(text, left, 12.5);
    this.#series.forEach((series, n) => {
      pen.fillStyle = styleOf(series.colour);
      pen.beginPath();
      pen.arc(x, view.y(near.values[n], n), 3.5, 0, 2 * Math.PI);
      pen.fill();
    });
  }
}

// The next of 1, 2, 4 (half of it is to be readable, too) or 10 times a power of ten.
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}
