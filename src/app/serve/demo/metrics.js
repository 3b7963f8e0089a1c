// metrics.js - the server's snapshots: read with care, and turned into rates.

import { Live, parseObject } from "./swale.js";

// The server speaks each second; five without a word mean that it is gone, whatever TCP believes.
export function openMetrics() {
  return new Live("live/metrics", { silence: 5000 });
}

const number = (value) => (Number.isFinite(value) && value >= 0 ? value : 0);

// Every field of a snapshot, present or not, as a plain number. Null when it is no snapshot at all.
export function readSnapshot(data) {
  const raw = parseObject(data);
  if (!raw || !Number.isFinite(raw.time_ms)) return null;
  const at = (group, name) => number(raw[group]?.[name]);
  return {
    time: raw.time_ms,
    open: at("connections", "open"),
    handshaking: at("connections", "handshaking"),
    opened: at("connections", "opened"),
    messagesIn: at("messages", "in"),
    messagesOut: at("messages", "out"),
    bytesIn: at("bytes", "in"),
    bytesOut: at("bytes", "out"),
    queued: number(raw.queued),
    lagLast: at("lag_us", "last"),
    lagMax: at("lag_us", "max"),
    topics: number(raw.topics),
    subscriptions: number(raw.subscriptions),
    delivered: number(raw.delivered),
    dropped: number(raw.dropped),
    closed: readReasons(raw.closed),
    refused: readReasons(raw.refused),
  };
}

function readReasons(raw) {
  const reasons = new Map();
  for (const [reason, count] of Object.entries(raw ?? {}))
    if (number(count) > 0) reasons.set(reason, count);
  return reasons;
}

// Per second, between two snapshots. Null when they are not of one run of the server.
export function rates(before, after) {
  const seconds = (after.time - before.time) / 1000;
  if (seconds <= 0 || after.messagesIn < before.messagesIn || after.opened < before.opened) return null;
  const per = (name) => Math.max(0, after[name] - before[name]) / seconds;
  return {
    messagesIn: per("messagesIn"),
    messagesOut: per("messagesOut"),
    bytesIn: per("bytesIn"),
    bytesOut: per("bytesOut"),
    delivered: per("delivered"),
  };
}
