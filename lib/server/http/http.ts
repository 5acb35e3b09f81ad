/**
 * `--http`: what a person, a probe or Prometheus asks a server. It reads, and changes nothing.
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { Users } from "../../commands/context.ts";
import type { Tls } from "../../net/tls/mod.ts";
import type { Acceptor } from "../../net/transport.ts";
import type { Health } from "../../observe/health.ts";
import { contentType } from "../../observe/prometheus.ts";
import { type HttpAddress, objectionTo, type Site } from "./address.ts";
import { CHALLENGE, maySee, userOf } from "./basic.ts";
import { Gate, type GateBounds } from "./gate.ts";

/** What the server shows. */
export interface Shown {
  readonly health: Health;
  /** Prometheus's text; `undefined` as long as the store is not open. */
  readonly metrics: () => string | undefined | Promise<string | undefined>;
  /** Who may ask for more than the health; `undefined` where everybody may. */
  readonly users: Users | undefined;
  /** Other paths, to what is answered there. */
  readonly pages: ReadonlyMap<string, () => Response | Promise<Response>>;
}

const TEXT = "text/plain; charset=utf-8";

/** Nothing of an answer is kept, guessed at, or shown within another site's page. */
const ALWAYS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
};

/** How it listens. */
export interface HttpOptions {
  readonly bounds?: GateBounds;
  /** What encrypts it; without it the pages are in clear. */
  readonly tls?: Tls | undefined;
}

/** Connections that may wait to be accepted. */
const BACKLOG = 128;

/** An HTTP server that listens. */
export class HttpServer {
  readonly scheme: Site["scheme"];
  /** The port that it listens on. */
  readonly port: number;
  readonly gate: Gate;
  readonly #server: Deno.HttpServer;
  readonly #directory: string;

  private constructor(
    scheme: Site["scheme"],
    port: number,
    gate: Gate,
    server: Deno.HttpServer,
    directory: string,
  ) {
    this.scheme = scheme;
    this.port = port;
    this.gate = gate;
    this.#server = server;
    this.#directory = directory;
  }

  /**
   * Listens.
   *
   * @throws {ExitError} 71, in one line, where it cannot.
   */
  static async open(
    { host, port }: HttpAddress,
    shown: Shown,
    { bounds, tls }: HttpOptions = {},
  ): Promise<HttpServer> {
    let directory: string | undefined;
    let listener: Acceptor & { readonly addr: Deno.NetAddr } | undefined;
    const scheme = tls === undefined ? "http" : "https";
    try {
      listener = tls === undefined
        ? Deno.listen({ hostname: host, port })
        : await tls.listen({ hostname: host, port, backlog: BACKLOG }, "none");
      directory = Deno.makeTempDirSync({ prefix: "kvs-http-" });
      const path = `${directory}/http.sock`;
      const server = Deno.serve(
        { transport: "unix", path, onListen() {} },
        (request) => answer(request, shown, { scheme, host }, () => void gate.denied++),
      );
      const gate: Gate = new Gate(listener, path, bounds);
      return new HttpServer(scheme, listener.addr.port, gate, server, directory);
    } catch (error) {
      listener?.close();
      if (directory !== undefined) Deno.removeSync(directory, { recursive: true });
      const why = error instanceof Deno.errors.AddrInUse
        ? "the address is in use"
        : messageOf(error);
      throw new ExitError(`cannot listen on ${host}:${port} for --http: ${why}`, Exit.os);
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.gate.close();
    await this.#server.shutdown();
    try {
      Deno.removeSync(this.#directory, { recursive: true });
    } catch {
      // Somebody else has cleared the directory of temporary files.
    }
  }
}

async function answer(
  request: Request,
  shown: Shown,
  site: Site,
  denied: () => void,
): Promise<Response> {
  let path: string;
  try {
    path = new URL(request.url).pathname;
  } catch {
    return reply(400, "the address of the request cannot be read\n");
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return reply(405, "only GET and HEAD are answered\n", { allow: "GET, HEAD" });
  }
  // Probes send any address as Host, and these two say nothing that a stranger may not know.
  if (path === "/healthz") return reply(200, "ok\n");
  if (path === "/readyz") return readyz(shown.health);
  const objection = objectionTo(request.headers, site);
  if (objection !== undefined) return reply(403, `${objection}\n`);
  if (shown.users !== undefined) {
    const user = await userOf(request.headers, shown.users);
    if (user === undefined || !maySee(user)) denied();
    if (user === undefined) {
      return reply(401, "a user and a password are needed\n", { "www-authenticate": CHALLENGE });
    }
    if (!maySee(user)) return reply(403, "the user has no right to stats\n");
  }
  if (path === "/metrics") {
    const metrics = await shown.metrics();
    return metrics === undefined
      ? reply(503, `${shown.health.readiness().reason}\n`)
      : reply(200, metrics, { "content-type": contentType });
  }
  const page = shown.pages.get(path);
  if (page === undefined) return reply(404, "there is /, /metrics, /healthz and /readyz\n");
  const response = await page();
  for (const [name, value] of Object.entries(ALWAYS)) response.headers.set(name, value);
  return response;
}

function readyz(health: Health): Response {
  const { ready, phase, store, reason, warning } = health.readiness();
  if (ready) return reply(200, warning === "" ? "ready\n" : `ready\nwarning: ${warning}\n`);
  return reply(503, `not ready: ${store ?? phase}: ${reason}\n`);
}

function reply(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(text, { status, headers: { "content-type": TEXT, ...ALWAYS, ...headers } });
}
