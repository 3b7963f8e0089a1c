// swale.js - a WebSocket that comes back by itself, and the pill that shows how it is.
//
// A Live has three states:
//
//     connecting --> live --> reconnecting --> live ...
//
// After a loss it waits a random time between nothing and a ceiling, which doubles from half a second to CAP
// (full jitter: when a server restarts, its clients don't all return in the same instant). A connection that held for
// HEALTHY sets the ceiling back. News that the network or the reader is back ends the wait at once.

const FIRST = 500;
const CAP = 5000; // 30 s would be right in the field; in a demo one wants to see the restart
const HEALTHY = 10_000;
const CONNECT_LIMIT = 8000;

export function socketUrl(path) {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

// Events: "open"; "message" with .data; "state" when .state, .attempt or .retryAt has changed.
export class Live extends EventTarget {
  state = "connecting";
  attempt = 0; // connections tried in vain since the last healthy one
  retryAt = 0; // performance.now() of the next try, 0 when there is none to wait for

  #path;
  #silence;
  #socket = null;
  #timer = 0; // until the next try, the limit of this one, or the longest silence: one at a time
  #openedAt = 0;

  // `silence`: for a server that speaks regularly, the milliseconds without a word after which it counts as lost.
  constructor(path, { silence = 0 } = {}) {
    super();
    this.#path = path;
    this.#silence = silence;
    const hint = () => this.#hint();
    window.addEventListener("online", hint);
    window.addEventListener("pageshow", hint);
    document.addEventListener("visibilitychange", hint);
    this.#connect();
  }

  // False when there is no connection; nothing is kept then.
  send(data) {
    if (this.state !== "live") return false;
    this.#socket.send(data);
    return true;
  }

  // Bytes that were sent and have not left yet.
  get buffered() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  #connect() {
    const socket = new WebSocket(socketUrl(this.#path));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const current = (act) => (event) => socket === this.#socket && act(event);
    socket.onopen = current(() => this.#opened());
    socket.onmessage = current((event) => this.#heard(event.data));
    socket.onclose = current(() => this.#lost());
    this.#arm(CONNECT_LIMIT, () => this.#lost());
  }

  #opened() {
    this.#openedAt = performance.now();
    this.#watch();
    this.#become("live", 0);
    this.dispatchEvent(new Event("open"));
  }

  #heard(data) {
    this.#watch();
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  #lost() {
    const now = performance.now();
    const socket = this.#socket;
    this.#socket = null; // what it still says is not heard
    socket.close();
    if (this.state === "live" && now - this.#openedAt >= HEALTHY) this.attempt = 0;
    this.attempt++;
    const wait = Math.random() * Math.min(CAP, FIRST * 2 ** (this.attempt - 1));
    this.#arm(wait, () => this.#retry());
    this.#become("reconnecting", now + wait);
  }

  #retry() {
    this.#become("reconnecting", 0);
    this.#connect();
  }

  #hint() {
    if (this.retryAt > 0 && !document.hidden) this.#retry();
  }

  #watch() {
    clearTimeout(this.#timer);
    if (this.#silence > 0) this.#arm(this.#silence, () => this.#lost());
  }

  #arm(milliseconds, act) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, milliseconds);
  }

  #become(state, retryAt) {
    this.state = state;
    this.retryAt = retryAt;
    this.dispatchEvent(new Event("state"));
  }
}

const SPOKEN = { connecting: "Connecting", live: "Connected", reconnecting: "Connection lost, reconnecting" };

// Shows the state of `live` in `pill`. The countdown is for the eye only; a screen reader hears the changes.
export function showStatus(pill, live) {
  const text = element("span", "pill-text");
  const spoken = element("span", "unseen");
  text.setAttribute("aria-hidden", "true");
  spoken.setAttribute("role", "status");
  pill.replaceChildren(element("span", "dot"), text, spoken);
  let ticking = 0;

  const draw = () => {
    text.textContent = describe(live);
    pill.dataset.state = live.state;
    if (spoken.textContent !== SPOKEN[live.state]) spoken.textContent = SPOKEN[live.state];
    clearTimeout(ticking);
    if (live.retryAt > 0) ticking = setTimeout(draw, 250);
  };
  live.addEventListener("state", draw);
  draw();
}

function describe(live) {
  if (live.state === "connecting") return "Connecting";
  if (live.state === "live") return "Live";
  const seconds = Math.max(0, Math.ceil((live.retryAt - performance.now()) / 1000));
  const when = live.retryAt > 0 && seconds > 0 ? `in ${seconds} s` : "now";
  return `Reconnecting ${when} (try ${live.attempt})`;
}

// ---- Small things that the pages share

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The object in a JSON text, or null: what comes from the network may be anything.
export function parseObject(data) {
  try {
    const value = JSON.parse(data);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

export function random32() {
  return crypto.getRandomValues(new Uint32Array(1))[0]; // unlike randomUUID, also without TLS
}

const MOODS = "Quiet Swift Amber Misty Early Bold Silver Gentle Lucky Northern Merry Calm".split(" ");
const BIRDS = "Heron Wagtail Plover Egret Bittern Curlew Dipper Snipe Teal Avocet Lapwing Crane".split(" ");

// The same name and colour for the same number, in every tab.
export function nameOf(number) {
  return `${MOODS[number % MOODS.length]} ${BIRDS[Math.floor(number / MOODS.length) % BIRDS.length]}`;
}

// The name of a colour in style.css.
export function colourOf(number) {
  return `--person-${number % 8}`;
}

export function styleOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const stillness = matchMedia("(prefers-reduced-motion: reduce)");

const counts = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function formatCount(n) {
  return n < 100_000 ? counts.format(n) : compact.format(n);
}

export function formatBytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit++;
  }
  return `${n < 10 && unit > 0 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

export function formatMicros(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  return us < 1_000_000 ? `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms` : `${(us / 1_000_000).toFixed(1)} s`;
}
