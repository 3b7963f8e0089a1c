// chat.js - a chat between tabs, on /topic/chat?self=1.
//
// The server relays and stores nothing. What this page sends comes back to it, and that is the receipt: a message
// without one is sent again after a reconnect. Who was away says so with its hello, and everyone repeats to it what
// they said meanwhile. A message that came twice is told by its id.

import { colourOf, element, Live, nameOf, parseObject, random32, showStatus } from "./swale.js";

const HEARTBEAT = 20_000;
const FORGOTTEN = 90_000; // hidden tabs may speak once a minute only
const KEPT = 400;
const LONGEST_AWAY = 120; // seconds for which others are asked to repeat
const REPEATED = 20;
const LONGEST_NAME = 32;
const LONGEST_TEXT = 2000;

const talk = document.getElementById("talk");
const peopleList = document.getElementById("people");
const nameField = document.getElementById("name");
const textField = document.getElementById("text");

const number = random32();
const me = { from: number.toString(16).padStart(8, "0"), name: sessionStorage.getItem("name") || nameOf(number) };
const people = new Map(); // id -> { name, seen }
const seen = new Set(); // ids of the messages that are shown
const unconfirmed = new Map(); // id -> { json, line, at }, in the order of writing
const spokenLately = []; // { json, at } of our own, the last REPEATED
let lostAt = 0; // performance.now() when the connection was lost, 0 before the first
let lastSpeaker = null;
let spoken = 0;

const live = new Live("topic/chat?self=1");
showStatus(document.getElementById("status"), live);

// ---- What goes out

function tell(type, more) {
  return live.send(JSON.stringify({ type, ...me, ...more }));
}

live.addEventListener("open", () => {
  const away = lostAt === 0 ? 0 : Math.ceil((performance.now() - lostAt) / 1000);
  lostAt = 0;
  tell("hello", { away: Math.min(away, LONGEST_AWAY) });
  for (const waiting of unconfirmed.values()) transmit(waiting);
});

live.addEventListener("state", () => {
  if (live.state === "reconnecting") lostAt ||= performance.now();
});

function transmit(waiting) {
  if (!live.send(waiting.json)) return;
  waiting.at ||= performance.now();
  spokenLately.push({ json: waiting.json, at: performance.now() });
  if (spokenLately.length > REPEATED) spokenLately.shift();
}

function repeat(away) {
  const since = performance.now() - (away + 1) * 1000;
  for (const { json, at } of spokenLately) if (at > since) live.send(json);
}

function say(text) {
  const id = `${me.from}-${++spoken}`;
  const json = JSON.stringify({ type: "say", ...me, id, text });
  const waiting = { json, line: showSaid(me.from, me.name, text), at: 0 };
  waiting.line.classList.add("waiting");
  waiting.line.append(element("span", "receipt", live.state === "live" ? "sending" : "will be sent when we are back"));
  seen.add(id);
  unconfirmed.set(id, waiting);
  transmit(waiting);
  talk.scrollTop = talk.scrollHeight;
}

setInterval(() => {
  tell("here");
  forget();
}, HEARTBEAT);
window.addEventListener("pagehide", () => tell("bye"));

// ---- What comes in

live.addEventListener("message", ({ data }) => {
  const heard = readMessage(data);
  if (!heard) return;
  if (heard.from === me.from) return confirm(heard.id);
  if (heard.type === "bye") return leave(heard.from);
  const known = meet(heard);
  if (heard.type === "hello") {
    setTimeout(() => tell("here"), Math.random() * 250);
    if (heard.away > 0) repeat(heard.away);
    if (!known) note(`${heard.name} is here`);
  }
  if (heard.type === "say" && !seen.has(heard.id)) {
    seen.add(heard.id);
    keepingTheEnd(() => showSaid(heard.from, heard.name, heard.text));
  }
});

// The message with its fields checked and cut to length, or null.
function readMessage(data) {
  const raw = typeof data === "string" ? parseObject(data) : null;
  const text = (value, longest) => (typeof value === "string" ? value.trim().slice(0, longest) : "");
  if (!raw || !/^[0-9a-f]{8}$/.test(raw.from)) return null;
  const heard = { type: raw.type, from: raw.from, name: text(raw.name, LONGEST_NAME) || "Somebody" };
  heard.id = text(raw.id, 40);
  heard.text = text(raw.text, LONGEST_TEXT);
  heard.away = Number.isFinite(raw.away) ? Math.min(raw.away, LONGEST_AWAY) : 0;
  return raw.type !== "say" || (heard.id && heard.text) ? heard : null;
}

function confirm(id) {
  const waiting = unconfirmed.get(id);
  if (!waiting) return;
  unconfirmed.delete(id);
  waiting.line.classList.remove("waiting");
  const took = performance.now() - waiting.at;
  const receipt = waiting.line.querySelector(".receipt");
  receipt.textContent = took < 1000 ? `out and back in ${took.toFixed(took < 10 ? 1 : 0)} ms` : "delivered";
}

// ---- Who is here

// Whether they were known already.
function meet({ from, name }) {
  const known = people.get(from);
  people.set(from, { name, seen: performance.now() });
  if (known?.name !== name) showPeople();
  return Boolean(known);
}

function leave(from) {
  const person = people.get(from);
  if (!person) return;
  people.delete(from);
  showPeople();
  note(`${person.name} has left`);
}

function forget() {
  const before = people.size;
  for (const [from, { seen: at }] of people) if (at < performance.now() - FORGOTTEN) people.delete(from);
  if (people.size < before) showPeople();
}

function showPeople() {
  const lines = [[me.from, `${me.name} (you)`], ...[...people].map(([from, { name }]) => [from, name])];
  peopleList.replaceChildren(
    ...lines.map(([from, name]) => {
      const line = element("li", "", name);
      line.style.setProperty("--colour", `var(${colourOf(parseInt(from, 16))})`);
      return line;
    }),
  );
}

// ---- The talk

function showSaid(from, name, text) {
  const line = element("div", "said");
  line.classList.toggle("mine", from === me.from);
  line.classList.toggle("same", from === lastSpeaker);
  line.style.setProperty("--colour", `var(${colourOf(parseInt(from, 16))})`);
  line.append(element("span", "who", name), element("div", "text", text));
  lastSpeaker = from;
  append(line);
  return line;
}

function note(text) {
  lastSpeaker = null;
  keepingTheEnd(() => append(element("p", "note", text)));
}

function append(line) {
  talk.append(line);
  if (talk.children.length > KEPT) talk.firstElementChild.remove();
}

// Follows the talk, unless the reader has scrolled up.
function keepingTheEnd(act) {
  const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 60;
  act();
  if (atEnd) talk.scrollTop = talk.scrollHeight;
}

// ---- Fields

nameField.value = me.name;
nameField.addEventListener("change", rename);
document.getElementById("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  textField.focus();
});

function rename() {
  me.name = nameField.value.trim().slice(0, LONGEST_NAME) || nameOf(number);
  nameField.value = me.name;
  sessionStorage.setItem("name", me.name);
  showPeople();
  tell("here");
}

const compose = document.getElementById("compose");
compose.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = textField.value.trim();
  if (text) say(text);
  textField.value = "";
  grow();
  textField.focus();
});
textField.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  compose.requestSubmit();
});
textField.addEventListener("input", grow);

function grow() {
  textField.style.height = "auto";
  textField.style.height = `${textField.scrollHeight + 2}px`;
}

showPeople();
