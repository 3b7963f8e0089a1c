// ws_test.mjs - npm's ws, as a client of `swale serve --demo`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { makeCertificate, Program, SLACK } from "../lib/program.mjs";

const LARGEST = 1 << 20; // the default of --max-message
const SIZES = [0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 1 << 17, LARGEST - 1, LARGEST];
const LIMIT = { timeout: 30_000 * SLACK };

const textOf = (size) => "aé€😀".repeat(Math.floor(size / 10)) + ".".repeat(size % 10);
const bytesOf = (size) => Buffer.from(Array.from({ length: size }, (_, n) => (n * 2654435761) >>> 24));

// An open connection to the running program, whose messages wait in a queue until they are read.
class Peer {
  #waiting = [];
  #readers = [];

  static async open(program, path = "/echo", { protocols = [], ...options } = {}) {
    const scheme = program.certificate ? "wss" : "ws";
    const peer = new Peer();
    peer.socket = new WebSocket(`${scheme}://127.0.0.1:${program.port}${path}`, protocols, {
      perMessageDeflate: false,
      ca: program.certificate?.pem,
      ...options,
    });
    peer.closed = once(peer.socket, "close").then(([code]) => ({ code }));
    peer.closed.catch(() => {});
    peer.socket.on("message", (data, binary) => peer.#take(binary ? data : data.toString()));
    await once(peer.socket, "open");
    peer.socket.on("error", () => {});
    return peer;
  }

  #take(message) {
    const reader = this.#readers.shift();
    if (reader) reader(message);
    else this.#waiting.push(message);
  }

  next() {
    if (this.#waiting.length > 0) return Promise.resolve(this.#waiting.shift());
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async echo(message) {
    this.socket.send(message);
    const got = await this.next();
    assert.equal(typeof got, typeof message);
    assert.ok(Buffer.from(got).equals(Buffer.from(message)), `${message.length} came back as ${got.length} others`);
  }

  async close() {
    this.socket.close(1000);
    assert.equal((await this.closed).code, 1000);
  }
}

function withProgram(name, options, tests) {
  describe(name, LIMIT, () => {
    const program = {};
    before(async () => {
      program.certificate = options.tls ? makeCertificate() : null;
      program.running = await Program.start({ options: options.arguments, certificate: program.certificate });
      program.port = program.running.port;
    });
    after(async () => {
      program.certificate?.remove();
      await program.running?.stop();
    });
    tests(program);
  });
}

withProgram("plain", {}, (program) => {
  it("echoes every length", async () => {
    const peer = await Peer.open(program);
    for (const size of SIZES) {
      await peer.echo(bytesOf(size));
      await peer.echo(textOf(size));
    }
    await peer.close();
  });

  it("joins fragments", async () => {
    const peer = await Peer.open(program);
    for (const [piece, fin] of [["frag", false], ["", false], ["ments of €", true]]) peer.socket.send(piece, { fin });
    assert.equal(await peer.next(), "fragments of €");
    await peer.close();
  });

  it("answers pings", async () => {
    const peer = await Peer.open(program);
    for (const size of [0, 1, 125]) {
      peer.socket.ping(bytesOf(size));
      const [payload] = await once(peer.socket, "pong");
      assert.ok(payload.equals(bytesOf(size)));
    }
    await peer.close();
  });

  it("echoes close codes", async () => {
    for (const [code, reason] of [[1000, ""], [1001, "leaving"], [3000, "library"], [4999, "x".repeat(123)]]) {
      const peer = await Peer.open(program);
      peer.socket.close(code, reason);
      assert.equal((await peer.closed).code, code);
    }
    const peer = await Peer.open(program);
    peer.socket.close();
    assert.equal((await peer.closed).code, 1005);
  });

  it("refuses what is too big with 1009", async () => {
    const peer = await Peer.open(program);
    peer.socket.send(Buffer.alloc(LARGEST + 1));
    assert.equal((await peer.closed).code, 1009);
  });

  it("accepts the first subprotocol", async () => {
    const peer = await Peer.open(program, "/echo", { protocols: ["first.example", "second"] });
    assert.equal(peer.socket.protocol, "first.example");
    await peer.close();
  });

  it("accepts no extension unless switched on", async () => {
    const peer = await Peer.open(program, "/echo", { perMessageDeflate: true });
    assert.equal(peer.socket.extensions, "");
    await peer.echo("plain");
    await peer.close();
  });

  it("refuses a foreign origin and an unknown path", async () => {
    for (const [path, origin, status] of [["/echo", "https://evil.example", 403], ["/nowhere", undefined, 404]]) {
      const socket = new WebSocket(`ws://127.0.0.1:${program.port}${path}`, { origin });
      const [request, answer] = await once(socket, "unexpected-response");
      assert.equal(answer.statusCode, status);
      request.destroy();
    }
  });

  it("serves many at once", async () => {
    const one = async (number) => {
      const peer = await Peer.open(program);
      for (let n = 0; n < 20; n++) await peer.echo(bytesOf(number * 7 + n));
      await peer.close();
    };
    await Promise.all(Array.from({ length: 200 }, (_, number) => one(number)));
  });

  it("relays a topic to all others, and to the sender who asks for it", async () => {
    const [a, b, loud, other] = await Promise.all(
      ["/topic/t", "/topic/t", "/topic/t?self=1", "/topic/other"].map((path) => Peer.open(program, path)),
    );
    a.socket.send("from a");
    assert.deepEqual([await b.next(), await loud.next()], ["from a", "from a"]);
    loud.socket.send("from loud");
    assert.deepEqual([await a.next(), await b.next(), await loud.next()], Array(3).fill("from loud"));
    other.socket.send("elsewhere");
    b.socket.send("last");
    assert.deepEqual([await a.next(), await loud.next()], ["last", "last"]);
    await Promise.all([a, b, loud, other].map((peer) => peer.close()));
  });

  it("pushes its figures", async () => {
    const peer = await Peer.open(program, "/live/metrics");
    const snapshot = JSON.parse(await peer.next());
    assert.ok(snapshot.connections.open >= 1 && snapshot.connections.opened >= snapshot.connections.open);
    const later = JSON.parse(await peer.next());
    assert.ok(later.time_ms > snapshot.time_ms && later.messages.out > snapshot.messages.out);
    for (const field of ["queued", "topics", "subscriptions", "delivered", "dropped"])
      assert.ok(later[field] >= 0, field);
    for (const field of ["bytes", "lag_us", "closed", "refused"]) assert.equal(typeof later[field], "object", field);
    await peer.close();
  });

  it("keeps a league going", async () => {
    const peer = await Peer.open(program, "/topic/scores");
    for (let n = 0; n < 3; n++) {
      const news = JSON.parse(await peer.next());
      assert.ok(["goal", "tick", "end"].includes(news.event), news.event);
      assert.ok(Number.isInteger(news.match) && news.minute >= 0 && news.score.every(Number.isInteger));
      assert.ok(news.home.length > 0 && news.away.length > 0);
    }
    await peer.close();
  });
});

for (const kind of ["shared", "context"]) {
  withProgram(`deflate, ${kind}`, { arguments: [`--deflate=${kind}`, "--compress-threshold", "16"] }, (program) => {
    const offers = [
      true,
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      { serverMaxWindowBits: 9 },
      { clientMaxWindowBits: 9 },
      { threshold: 0, zlibDeflateOptions: { level: 9 } },
    ];
    for (const perMessageDeflate of offers) {
      it(`echoes with ${JSON.stringify(perMessageDeflate)}`, async () => {
        const peer = await Peer.open(program, "/echo", { perMessageDeflate });
        assert.match(peer.socket.extensions, /^permessage-deflate/);
        for (let n = 0; n < 5; n++) await peer.echo("again and again, ".repeat(200));
        for (const size of SIZES) await peer.echo(textOf(size));
        for (const size of [0, 1, 5000, 70_000]) await peer.echo(bytesOf(size));
        await peer.close();
      });
    }
  });
}

withProgram("TLS", { tls: true }, (program) => {
  it("echoes every length", async () => {
    const peer = await Peer.open(program);
    for (const size of SIZES) await peer.echo(bytesOf(size));
    await peer.close();
  });

  it("serves many at once", async () => {
    const one = async (number) => {
      const peer = await Peer.open(program);
      for (let n = 0; n < 10; n++) await peer.echo(bytesOf(number * 700 + n));
      await peer.close();
    };
    await Promise.all(Array.from({ length: 50 }, (_, number) => one(number)));
  });
});

describe("SIGTERM", LIMIT, () => {
  it("says 1001 to each", async () => {
    const program = await Program.start();
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.open(program)));
    const stopped = program.stop();
    for (const peer of peers) assert.equal((await peer.closed).code, 1001);
    await stopped;
  });
});
