/**
 * Google's metadata server, as far as it gives out access tokens
 * (cloud.google.com/compute/docs/metadata/overview).
 *
 * @module
 */

/** How it behaves. */
export interface MetadataOptions {
  /** How long a token holds, in seconds. */
  readonly lifetime: number;
}

/** One on a free port, found by Google's library for as long as it lives. */
export class MetadataServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #lifetime: number;
  #number = 1;
  #ends: number;
  /** Answers 503 instead of a token. */
  failing = false;
  /** How often a token was asked for. */
  asked = 0;

  constructor({ lifetime }: MetadataOptions) {
    this.#lifetime = lifetime;
    this.#ends = Date.now() + lifetime * 1000;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(new URL(request.url).pathname),
    );
    Deno.env.set("GCE_METADATA_HOST", `127.0.0.1:${this.#server.addr.port}`);
    Deno.env.set("METADATA_SERVER_DETECTION", "assume-present");
  }

  /** The token that it gives out. */
  get token(): string {
    return `token-${this.#number}`;
  }

  /** From here on it gives out another token; until then the same, whoever asks. */
  renew(): void {
    this.#number++;
    this.#ends = Date.now() + this.#lifetime * 1000;
  }

  #answer(path: string): Response {
    const headers = { "metadata-flavor": "Google" };
    if (!path.endsWith("/token")) return new Response("kvs@project.iam", { headers });
    this.asked++;
    if (this.failing) return new Response("unavailable", { status: 503, headers });
    return Response.json({
      access_token: this.token,
      expires_in: Math.max(1, Math.round((this.#ends - Date.now()) / 1000)),
      token_type: "Bearer",
    }, { headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.env.delete("GCE_METADATA_HOST");
    Deno.env.delete("METADATA_SERVER_DETECTION");
    await this.#server.shutdown();
  }
}

/** A test with Google's credentials library, which keeps connections of its own. */
export function testWithMetadata(
  name: string,
  missing: string | undefined,
  fn: () => Promise<void>,
): void {
  const reason = missing === undefined ? "" : ` (skipped: ${missing} is not installed)`;
  Deno.test({
    name: `${name}${reason}`,
    ignore: missing !== undefined,
    fn,
    sanitizeOps: false,
    sanitizeResources: false,
  });
}
