/**
 * Cloud Storage on this machine, for tests and measurements: as strict as the service, as slow as it
 * is told to be, and with faults on demand.
 *
 * Control, for programs in other processes: `POST /emulator/faults` takes a {@linkcode Fault} as
 * JSON, `DELETE /emulator/faults` takes all away, `GET /emulator/counts` tells the requests by
 * operation, `GET /emulator/objects` the number of objects.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Auth, type AuthOptions } from "./auth.ts";
import { Bucket } from "./bucket.ts";
import { changed, deviate, type Deviations } from "./deviations.ts";
import { bucketRateLimit, invalid, noSuchBucket, Refusal, refusalOf } from "./errors.ts";
import { type Fault, Faults, type Operation } from "./faults.ts";
import { type Breakage, type HttpRequest, type HttpResponse, HttpServer } from "./http.ts";
import * as json from "./json_api.ts";
import { drawLatency, type Latency, Rate } from "./limits.ts";
import { getXml } from "./xml_api.ts";

export type { Deviations, Fault, Operation };

/** How late a timer comes on average, in milliseconds: answers take as long as they are told to. */
const timersLate = 1;

/** How the emulated service is. */
export interface EmulatorOptions {
  /** The port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  /** The buckets that are there; `["bucket"]` without it. */
  readonly buckets?: readonly string[];
  /** The least time between two mutations of one object, in milliseconds; 0 for no limit. */
  readonly mutationInterval?: number;
  /** Mutations a second that a bucket takes. */
  readonly writesPerSecond?: number;
  /** Reads and listings a second that a bucket takes. */
  readonly readsPerSecond?: number;
  readonly readLatency?: Latency;
  readonly writeLatency?: Latency;
  /** Without it nobody is asked who he is. */
  readonly auth?: AuthOptions;
  /** In what it differs from Google's service. */
  readonly deviations?: Deviations;
}

/** What a request asks for, as far as its address tells. */
interface Route {
  readonly operation: Operation;
  readonly permission: string;
  readonly bucket: string;
  readonly name?: string;
  /** Whether errors are told as XML. */
  readonly xml?: boolean;
  readonly act: (bucket: Bucket) => HttpResponse;
}

/** A running emulator. */
export class Emulator implements AsyncDisposable {
  readonly faults = new Faults();
  /** Requests by operation since the start; also those that met a fault. */
  readonly counts: Record<Operation, number> = {
    get: 0,
    insert: 0,
    upload: 0,
    patch: 0,
    delete: 0,
    list: 0,
    other: 0,
  };
  /** Told of every request as it comes. */
  onRequest: ((operation: Operation, name: string | undefined) => void) | undefined;
  readonly auth: Auth | undefined;
  /** In what it differs from Google's service. */
  readonly deviations: Deviations;
  readonly #buckets = new Map<string, Bucket>();
  readonly #latency: Record<"read" | "write", Latency>;
  readonly #reads: Rate;
  readonly #writes: Rate;
  #server: HttpServer | undefined;

  private constructor(options: EmulatorOptions) {
    for (const name of options.buckets ?? ["bucket"]) {
      this.#buckets.set(name, new Bucket(name, options.mutationInterval ?? 0));
    }
    this.#latency = { read: options.readLatency ?? [], write: options.writeLatency ?? [] };
    this.#reads = new Rate(options.readsPerSecond ?? Infinity);
    this.#writes = new Rate(options.writesPerSecond ?? Infinity);
    this.auth = options.auth && new Auth(options.auth);
    this.deviations = { ...options.deviations };
  }

  static async start(options: EmulatorOptions = {}): Promise<Emulator> {
    const emulator = new Emulator(options);
    emulator.#server = await HttpServer.listen(
      options.port ?? 0,
      (request) => emulator.#handle(request),
    );
    return emulator;
  }

  /** Where clients reach it, such as `http://127.0.0.1:4711`. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#server!.port}`;
  }

  get connections(): number {
    return this.#server!.connections;
  }

  /** A bucket as the service sees it, to look at and to change behind the clients' backs. */
  bucket(name = "bucket"): Bucket {
    return this.#buckets.get(name)!;
  }

  /** All requests so far. */
  get requests(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count);
  }

  /** Resets every connection, also those on which an answer is awaited. */
  breakConnections(): void {
    this.#server!.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server!.close();
  }

  async #handle(request: HttpRequest): Promise<HttpResponse | Breakage> {
    if (request.target.startsWith("/emulator/")) return this.#control(request);
    if (request.target === "/token" && this.auth) return this.auth.token(request);
    const route = this.#route(request);
    this.counts[route.operation]++;
    this.onRequest?.(route.operation, route.name);
    const fault = this.faults.take(route.operation, route.name);
    const reads = route.operation === "get" || route.operation === "list";
    const latency = drawLatency(reads ? this.#latency.read : this.#latency.write);
    if (fault !== undefined) {
      await sleep(latency);
      return this.#fail(request, route, fault);
    }
    if (latency === 0) return this.#answer(request, route);
    // The effect falls anywhere between request and answer.
    const due = performance.now() + latency - timersLate;
    await sleep(latency * Math.random() - timersLate);
    const response = this.#answer(request, route);
    await sleep(due - performance.now());
    return response;
  }

  #answer(request: HttpRequest, route: Route): HttpResponse {
    const { method } = request;
    return deviate(this.#act(request, route), { method, xml: route.xml ?? false }, this.deviations);
  }

  #act(request: HttpRequest, route: Route): HttpResponse {
    try {
      const bucket = this.#buckets.get(route.bucket);
      if (bucket === undefined) throw noSuchBucket();
      if (route.permission !== "") this.auth?.check(request, route.permission);
      const reads = route.operation === "get" || route.operation === "list";
      if (!(reads ? this.#reads : this.#writes).take()) throw bucketRateLimit(bucket.name);
      bucket.ignoresChecksums = this.deviations.ignoresChecksums ?? this.deviations.noChecksums ??
        false;
      return route.act(bucket);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return route.xml ? error.xml() : error.json();
    }
  }

  #fail(request: HttpRequest, route: Route, fault: Fault): HttpResponse | Breakage {
    if (fault.what === "change") return this.#change(request, route);
    if (fault.kept && route.operation === "upload") {
      const sent = firstOf(request, fault.kept);
      this.#answer(sent, this.#route(sent));
    }
    const response = fault.after ? this.#answer(request, route) : undefined;
    if (fault.late !== undefined) setTimeout(() => this.#answer(request, route), fault.late);
    if (fault.what === "cut" || fault.what === "hang") {
      return { ...response ?? { status: 200, body: "0123456789" }, [fault.what]: true };
    }
    if (typeof fault.what === "string") return fault.what;
    const refusal = refusalOf(fault.what);
    const said = route.xml ? refusal.xml() : refusal.json();
    if (fault.retryAfter === undefined) return said;
    return { ...said, headers: { ...said.headers, "retry-after": fault.retryAfter } };
  }

  /** Answers with a byte changed on its way: of the request where it writes, else of the answer. */
  #change(request: HttpRequest, route: Route): HttpResponse {
    const { body } = request;
    let at: number;
    switch (route.operation) {
      case "insert":
        // The last byte of the content, which the end of the multipart body follows.
        at = Buffer.from(body.buffer, body.byteOffset, body.length).lastIndexOf("\r\n--") - 1;
        break;
      case "upload":
        at = body.length >> 1;
        break;
      default: {
        const response = this.#answer(request, route);
        return { ...response, body: changed(response.body as Uint8Array) };
      }
    }
    const sent = { ...request, body: changed(body, at) };
    return this.#answer(sent, this.#route(sent));
  }

  #route(request: HttpRequest): Route {
    const { method, target } = request;
    const [path, search] = split(target, "?");
    const query = new URLSearchParams(search);
    if (this.deviations.noRanges) request = withoutRange(request);
    if (this.deviations.fewPreconditions) {
      query.delete(method === "DELETE" ? "ifGenerationMatch" : "ifGenerationNotMatch");
    }
    const found =
      /^(\/upload|\/resumable\/upload|\/download)?\/storage\/v1\/b\/([^/]+)(?:\/([^/]+)(?:\/(.+))?)?$/
        .exec(
          path,
        );
    if (found === null) return xmlRoute(request, path);
    const [, way, bucketPart, collection, rest] = found;
    const bucketName = decodeURIComponent(bucketPart);
    const name = collection === "o" && rest !== undefined ? decodeURIComponent(rest) : undefined;
    const route = (
      operation: Operation,
      permission: string,
      action: (request: json.JsonRequest) => HttpResponse,
    ): Route => ({
      operation,
      permission,
      bucket: bucketName,
      name: name ?? query.get("name") ?? undefined,
      act: (bucket) => action({ http: request, bucket, name, query }),
    });
    if (way?.endsWith("/upload")) {
      // Who knows the session's address needs no other credentials.
      if (query.has("upload_id") && method !== "POST") {
        return route("upload", "", method === "PUT" ? json.resumeUpload : json.cancelUpload);
      }
      return route("insert", "storage.objects.create", json.insertObject);
    }
    if (name !== undefined) {
      switch (method) {
        case "GET":
          return route("get", "storage.objects.get", json.getObject);
        case "PATCH":
          return route("patch", "storage.objects.update", json.patchObject);
        case "DELETE":
          return route("delete", "storage.objects.delete", json.deleteObject);
      }
    }
    if (method === "GET" && collection === "o") {
      return route("list", "storage.objects.list", json.listObjects);
    }
    if (method === "GET" && collection === "iam") {
      return route("other", "", (r) => json.testPermissions(r, (p) => this.#allows(request, p)));
    }
    if (method === "GET" && (collection === undefined || collection === "storageLayout")) {
      return route("other", "storage.buckets.get", json.getBucket);
    }
    return route("other", "", () => {
      throw invalid(`The emulator does not know ${method} ${path}`);
    });
  }

  #allows(request: HttpRequest, permission: string): boolean {
    try {
      this.auth?.check(request, permission);
      return true;
    } catch (error) {
      if (error instanceof Refusal && error.status === 403) return false;
      throw error;
    }
  }

  #control(request: HttpRequest): HttpResponse {
    const { method, target } = request;
    switch (`${method} ${target}`) {
      case "POST /emulator/faults":
        this.faults.add(JSON.parse(new TextDecoder().decode(request.body)));
        return { status: 204 };
      case "DELETE /emulator/faults":
        this.faults.clear();
        return { status: 204 };
      case "GET /emulator/counts":
        return { status: 200, body: JSON.stringify(this.counts) };
      case "GET /emulator/objects":
        return { status: 200, body: String(this.bucket().size) };
      default:
        return { status: 404 };
    }
  }
}

/** A part of a resumable upload that was cut off behind so many bytes. */
function firstOf(request: HttpRequest, bytes: number): HttpRequest {
  const [, from] = /^bytes (\d+)-/.exec(request.headers.get("content-range") ?? "") ?? [];
  if (from === undefined) return request;
  const range = `bytes ${from}-${Number(from) + bytes - 1}/*`;
  return {
    ...request,
    headers: new Map(request.headers).set("content-range", range),
    body: request.body.subarray(0, bytes),
  };
}

function xmlRoute(request: HttpRequest, path: string): Route {
  const [bucketPart, objectPart] = split(path.slice(1), "/");
  const name = decodeURIComponent(objectPart);
  const reads = request.method === "GET" || request.method === "HEAD";
  return {
    operation: reads ? "get" : "other",
    permission: "storage.objects.get",
    bucket: decodeURIComponent(bucketPart),
    name,
    xml: true,
    act: (bucket) => {
      if (!reads) throw invalid(`The emulator does not know ${request.method} of the XML API`);
      return getXml(request, bucket, name);
    },
  };
}

function withoutRange(request: HttpRequest): HttpRequest {
  const headers = new Map(request.headers);
  headers.delete("range");
  return { ...request, headers };
}

function split(text: string, sign: string): [string, string] {
  const at = text.indexOf(sign);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function sleep(ms: number): Promise<void> | undefined {
  if (ms <= 0) return undefined;
  return new Promise((resolve) => setTimeout(resolve, ms));
}
