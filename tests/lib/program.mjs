// program.mjs - runs `swale serve --demo` for a test in Node. The program's path comes in SWALE_PROGRAM.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// How much longer things may take: a sanitizer costs time.
export const SLACK = process.env.SWALE_SANITIZED === "1" ? 4 : 1;
const ADDRESS = /(?:127\.0\.0\.1|localhost):(\d+)/;
const REPORT = /(ERROR|WARNING): \w+Sanitizer|runtime error:/;

export class Program {
  // Resolves once it listens. The kernel chooses the port unless `port` says which.
  static async start({ options = [], port = 0, certificate = null } = {}) {
    const tls = certificate ? ["--tls-cert", certificate.file, "--tls-key", certificate.key] : [];
    const program = new Program();
    program.process = spawn(
      process.env.SWALE_PROGRAM,
      ["serve", "--demo", "--listen", `127.0.0.1:${port}`, ...tls, ...options],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    program.ended = once(program.process, "close");
    program.text = "";
    try {
      program.port = await program.#listening();
    } catch (error) {
      await program.kill();
      throw error;
    }
    return program;
  }

  #listening() {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${why}:\n${this.text}`));
      const timer = setTimeout(fail, 10_000 * SLACK, "the program does not say where it listens");
      const read = (data) => {
        this.text += data;
        const found = ADDRESS.exec(this.text);
        if (!found) return;
        clearTimeout(timer);
        resolve(Number(found[1]));
      };
      this.process.stdout.on("data", read);
      this.process.stderr.on("data", read);
      this.process.once("error", (error) => fail(error.message));
      this.process.once("close", () => fail("the program has ended"));
    });
  }

  get alive() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  // Ends it as an operator would.
  async stop() {
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 15_000 * SLACK);
    const [code, signal] = await this.ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the program ended with ${code ?? signal}:\n${this.text}`);
    if (REPORT.test(this.text)) throw new Error(`a sanitizer reports:\n${this.text}`);
  }

  // Ends it as a crash would.
  async kill() {
    if (!this.alive) return;
    this.process.kill("SIGKILL");
    await this.ended;
  }
}

// A self-signed certificate for localhost and 127.0.0.1, made by the openssl program.
export function makeCertificate() {
  const directory = mkdtempSync(join(tmpdir(), "swale-test-"));
  const file = join(directory, "certificate.pem");
  const key = join(directory, "key.pem");
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ...["-keyout", key, "-out", file],
  ]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { file, key, pem: readFileSync(file), remove: () => rmSync(directory, { recursive: true }) };
}
