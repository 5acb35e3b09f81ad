/** What a VM of Google's finds around it: metadata, its release in a bucket, its secret. For the startup script. */

import type { AptRepository } from "./apt_repository.ts";
import type { Result, Sandbox } from "./sandbox.ts";

export interface Surroundings {
  attributes: Record<string, string>;
  release: { name: string; files: Record<string, string> };
  /** Values of Secret Manager by the names of their versions. */
  secrets?: Record<string, string>;
  /** Where Google's packages are. */
  packages?: AptRepository;
}

/** Milliseconds until a VM is taken to have nothing more to say. */
const PATIENCE = 180_000;

export class Machine implements AsyncDisposable {
  readonly token = "ya29.token-of-the-demo-machine";
  /** What the VM has said of itself last. */
  state = "";
  #said = Promise.withResolvers<void>();
  release: Surroundings["release"];
  /** How many of its requests are refused yet: roles take their time to be known. */
  refusals = 0;

  #etag = 1;
  #changed = Promise.withResolvers<void>();
  readonly #attributes: Record<string, string>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  readonly #sandbox: Sandbox;
  readonly #given: Surroundings;

  private constructor(sandbox: Sandbox, given: Surroundings) {
    this.#sandbox = sandbox;
    this.#given = given;

    this.#attributes = given.attributes;
    this.release = given.release;
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request) => this.#answer(request),
    );
  }

  static async start(sandbox: Sandbox, given: Surroundings): Promise<Machine> {
    const machine = new Machine(sandbox, given);
    const origin = `http://127.0.0.1:${machine.#server.addr.port}`;
    // The machine's curl, as far from Google as the tests are; it keeps what it was called with.
    await Deno.writeTextFile(
      `${sandbox.shared}/curl`,
      `#!/bin/bash
printf '%s ' "$@" >>/run/curl.log; echo >>/run/curl.log
words=()
for word in "$@"; do
  word=\${word/#http:\\/\\/metadata.google.internal/${origin}\\/metadata}
  word=\${word/#https:\\/\\/storage.googleapis.com/${origin}\\/storage}
  word=\${word/#https:\\/\\/packages.cloud.google.com/${origin}\\/packages}
  word=\${word/#https:\\/\\/secretmanager.googleapis.com/${origin}\\/secretmanager}
  words+=("$word")
done
exec /usr/bin/curl --noproxy '*' "\${words[@]}"
`,
    );
    await sandbox.run(`install -m 0755 ${sandbox.shared}/curl /usr/local/bin/curl`);
    await Deno.writeTextFile(`${sandbox.shared}/startup.sh`, given.attributes["startup-script"]);
    return machine;
  }

  startup(): Promise<Result> {
    return this.#sandbox.run(`bash ${this.#sandbox.shared}/startup.sh`, { KVS_RETRY_SECONDS: "1" });
  }

  change(attributes: Record<string, string>): void {
    Object.assign(this.#attributes, attributes);
    this.#etag++;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Waits until the VM says this. */
  async reaches(state: string): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#said.resolve();
    }, PATIENCE);
    while (this.state !== state && !late) await this.#said.promise;
    clearTimeout(timer);
    if (this.state !== state) throw new Error(`The VM says '${this.state}', not '${state}'`);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const instance = pathname.match(/^\/metadata\/computeMetadata\/v1\/instance\/(.*)$/)?.[1];
    if (instance !== undefined) {
      if (request.headers.get("metadata-flavor") !== "Google") {
        return new Response(null, { status: 403 });
      }
      return await this.#metadata(request, instance, searchParams);
    }
    const packages = pathname.match(/^\/packages(\/.*)$/)?.[1];
    if (packages !== undefined && this.#given.packages) {
      return this.#given.packages.answer(packages);
    }
    if (request.headers.get("authorization") !== `Bearer ${this.token}`) {
      return new Response(null, { status: 401 });
    }
    if (this.refusals > 0) {
      this.refusals--;
      return new Response(null, { status: 403 });
    }
    const object = pathname.match(/^\/storage\/demo-kvs-bin\/releases\/([^/]+)\/(.+)$/);
    if (object?.[1] === this.release.name && this.release.files[object[2]] !== undefined) {
      return new Response(this.release.files[object[2]]);
    }
    const version = pathname.match(/^\/secretmanager\/v1\/(.+):access$/)?.[1] ?? "";
    const secret = this.#given.secrets?.[version];
    if (secret !== undefined) {
      const document = { name: version, payload: { data: btoa(secret) } };
      return new Response(JSON.stringify(document, null, 2));
    }
    return new Response(null, { status: 404 });
  }

  async #metadata(
    request: Request,
    path: string,
    query: URLSearchParams,
  ): Promise<Response> {
    const headers = { "metadata-flavor": "Google", etag: `e${this.#etag}` };
    if (path === "guest-attributes/kvs/state") {
      this.state = await request.text();
      this.#said.resolve();
      this.#said = Promise.withResolvers();
      return new Response(null);
    }
    if (path === "service-accounts/default/token") {
      return Response.json({ access_token: this.token, expires_in: 3000, token_type: "Bearer" });
    }
    const name = path.match(/^attributes\/(.*)$/)?.[1];
    if (name === "") {
      if (query.get("wait_for_change") && query.get("last_etag") === headers.etag) {
        await this.#changed.promise;
        headers.etag = `e${this.#etag}`;
      }
      return Response.json(this.#attributes, { headers });
    }
    const value = name && this.#attributes[name];
    return value === undefined
      ? new Response(null, { status: 404 })
      : new Response(value, { headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changed.resolve();
    await this.#server.shutdown();
  }
}
