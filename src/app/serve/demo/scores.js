// scores.js - the ticker: what the server publishes on the topic "scores".

import { element, Live, parseObject, showStatus } from "./swale.js";

const LASTS = 90; // minutes
const OVER = 12_000; // how long a finished match stays
const GOALS = 12;

const list = document.getElementById("matches");
const feed = document.getElementById("feed");
const matches = new Map(); // number -> { box, score, ... }

const live = new Live("topic/scores");
showStatus(document.getElementById("status"), live);
live.addEventListener("open", () => matches.forEach((match) => (match.stale = true))); // perhaps of an earlier server
live.addEventListener("message", ({ data }) => {
  const news = readNews(data);
  if (!news) return;
  dropStale(news);
  const match = matches.get(news.match) ?? addMatch(news);
  const scorer = [0, 1].find((side) => news.score[side] > match.score[side]);
  match.score = news.score;
  showMatch(match, news);
  if (news.event === "goal") showGoal(match, news, scorer);
  if (news.event === "end") setTimeout(() => removeMatch(news.match, match), OVER);
});

function readNews(data) {
  const raw = typeof data === "string" ? parseObject(data) : null;
  if (!raw || !Number.isSafeInteger(raw.match) || !Number.isFinite(raw.minute)) return null;
  if (typeof raw.home !== "string" || typeof raw.away !== "string") return null;
  if (!Array.isArray(raw.score) || raw.score.length !== 2 || !raw.score.every(Number.isSafeInteger)) return null;
  return raw;
}

// A server that was started anew counts its matches from the beginning: what it does not speak of is gone.
function dropStale(news) {
  const known = matches.get(news.match);
  if (known?.stale && (known.home !== news.home || known.away !== news.away)) removeMatch(news.match, known);
  else if (known) known.stale = false;
  const fresh = [...matches.values()].filter((match) => !match.stale);
  for (const [number, match] of matches) if (match.stale && fresh.length > 2) removeMatch(number, match);
}

function addMatch({ match: number, home, away, score }) {
  document.getElementById("waiting")?.remove();
  const parts = {
    box: element("li", "match panel"),
    minute: element("span", "minute"),
    teams: [element("span", "team", home), element("span", "team", away)],
    goals: [element("span", "goals"), element("span", "goals")],
    clock: element("span", "clock"),
  };
  parts.box.append(parts.minute, parts.teams[0], parts.goals[0], parts.teams[1], parts.goals[1], parts.clock);
  parts.box.dataset.match = number;
  const match = { ...parts, home, away, score, stale: false };
  matches.set(number, match);
  list.append(parts.box);
  return match;
}

function removeMatch(number, match) {
  match.box.remove();
  if (matches.get(number) === match) matches.delete(number);
}

function showMatch(match, { score, minute, event }) {
  const over = event === "end";
  match.box.classList.toggle("over", over);
  match.minute.textContent = over ? "End" : `${Math.round(minute)}′`;
  match.clock.style.setProperty("--played", Math.min(1, Math.max(0, minute / LASTS)));
  for (const side of [0, 1]) {
    match.goals[side].textContent = score[side];
    match.teams[side].classList.toggle("ahead", score[side] > score[1 - side]);
  }
}

function showGoal(match, { home, away, score, minute }, scorer) {
  match.box.classList.remove("goal");
  match.goals.forEach((goals, side) => goals.classList.toggle("new", side === scorer));
  void match.box.offsetWidth; // lets the animation begin anew
  match.box.classList.add("goal");
  feed.querySelector(".empty")?.remove();
  const line = element("li");
  const text = element("span");
  const side = (n, name) => element(n === scorer ? "b" : "span", "", name);
  text.append(side(0, `${home} ${score[0]}`), " : ", side(1, `${score[1]} ${away}`));
  line.append(element("span", "minute", `${Math.round(minute)}′`), text);
  feed.prepend(line);
  while (feed.children.length > GOALS) feed.lastElementChild.remove();
}
