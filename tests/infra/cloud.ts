/**
 * A stand-in for the Google APIs on loopback, which keeps state: enough of them that the real gcloud can carry out
 * what the scripts of `infra/` ask for. It checks what Google checks and the scripts rely on: that what a request
 * refers to exists, that what is in use cannot be deleted, and that a name is taken once.
 *
 * Its virtual machines act as `infra/startup.sh` does, as far as the APIs can see: they read their release from the
 * bucket, with the rights that their account has, and say in their guest attributes whether the server answers.
 */

import { openssl } from "../certificates.ts";
import { TunnelProxy } from "../tunnel_proxy.ts";
import { computeApi } from "./compute.ts";
import { managementApi } from "./management.ts";
import { storageApi } from "./storage.ts";

// deno-lint-ignore no-explicit-any -- the APIs' own documents, of a hundred shapes
export type Json = any;

export const PROJECT = "demo";
/** The token of whoever runs the scripts. */
export const TOKEN = "ya29.token-of-the-one-who-runs-the-scripts";
export const CA_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nZGVtbw==\n-----END CERTIFICATE-----";

/** A request as it came in, for tests to look at. */
export interface Recorded {
  method: string;
  /** Path and query without the host, beginning with the API's name: `compute/v1/projects/…`. */
  path: string;
  body: Json;
}

/** An error in the form of Google's APIs. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly reason = "") {
    super(message);
  }

  response(): Response {
    const { status, message, reason } = this;
    const details = reason
      ? [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" }]
      : [];
    const names: Record<number, string> = {
      401: "UNAUTHENTICATED",
      403: "PERMISSION_DENIED",
      404: "NOT_FOUND",
      409: "ALREADY_EXISTS",
    };
    return Response.json({
      error: {
        code: status,
        message,
        status: names[status] ?? "FAILED_PRECONDITION",
        errors: [{ message, reason: reason || "backendError", domain: "global" }],
        details,
      },
    }, { status });
  }
}

/** A fault that a test has asked for: the first request that fits gets the error. */
interface Fault {
  pattern: RegExp;
  error: ApiError;
}

/** An API: answers a request whose path begins with its name, or says that it knows no such path. */
export type Api = (
  cloud: Cloud,
  request: Recorded,
  raw: { body: Uint8Array; query: URLSearchParams },
) => Json;

const APIS: Record<string, Api> = {
  compute: computeApi,
  storage: storageApi,
  upload: storageApi,
  management: managementApi,
};

/**
 * The way for the requests that gcloud knows no override for: an HTTPS proxy whose every host is the stand-in. What is
 * meant for an API that the stand-in does not have ends here too, and not at Google.
 */
class Proxy implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #tunnels = new TunnelProxy(() => this.#server.addr.port);

  constructor(readonly certificate: string, handler: Deno.ServeHandler) {
    this.#server = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      cert: Deno.readTextFileSync(certificate),
      key: Deno.readTextFileSync(`${certificate}.key`),
      onListen() {},
    }, handler);
  }

  /** Makes a certificate for the two APIs that need this way. */
  static async certificate(directory: string): Promise<string> {
    const file = `${directory}/certificate.pem`;
    const hosts = ["servicenetworking.googleapis.com", "monitoring.googleapis.com"];
    await openssl(
      directory,
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", `${file}.key`, "-out", file, "-days", "2", "-subj", `/CN=${hosts[0]}`],
      ...["-addext", `subjectAltName=${hosts.map((host) => `DNS:${host}`)}`],
    );
    return file;
  }

  get url(): string {
    return this.#tunnels.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tunnels[Symbol.asyncDispose]();
    await this.#server.shutdown();
  }
}

export class Cloud implements AsyncDisposable {
  /** Everything that exists: its path (`projects/demo/global/networks/kvs`) to its document. */
  readonly resources = new Map<string, Json>();
  /** Policies by the path of what they protect. */
  readonly policies = new Map<string, Json>();
  /** Guest attributes `kvs/state` by the path of the VM. */
  readonly states = new Map<string, string>();
  readonly apis = new Set<string>(["serviceusage"]);
  readonly requests: Recorded[] = [];
  /** The password of Redis, which can be made anew. */
  authString = "5e0a9d3c-auth-string-of-the-demo-redis";
  /** Whether the server of a VM with this metadata answers. */
  answers: (vm: string, metadata: Record<string, string>) => boolean = () => true;
  /** Paths that the stand-in does not know; a test that leaves any here has asked for too much. */
  readonly unknown: string[] = [];

  readonly #faults: Fault[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #proxy: Proxy;

  readonly #directory: string;

  private constructor(directory: string, certificate: string) {
    this.#directory = directory;

    const handler = (request: Request) => this.#handle(request);
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
    this.#proxy = new Proxy(certificate, handler);
  }

  static async start(): Promise<Cloud> {
    const directory = await Deno.makeTempDir({ prefix: "kvs-cloud-" });
    await Deno.writeTextFile(`${directory}/token`, TOKEN);
    return new Cloud(directory, await Proxy.certificate(directory));
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The next request with such a method and path (`POST compute/v1/projects/demo/zones/…`) fails. */
  fail(pattern: RegExp, status: number, message: string, reason?: string): void {
    this.#faults.push({ pattern, error: new ApiError(status, message, reason) });
  }

  /** What gcloud and curl need in their environment to come here and nowhere else. */
  environment(): Record<string, string> {
    const variables: Record<string, string> = {
      CLOUDSDK_CONFIG: this.#directory,
      CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE: this.#proxy.certificate,
      CURL_CA_BUNDLE: this.#proxy.certificate,
      HTTPS_PROXY: this.#proxy.url,
      CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: `${this.#directory}/token`,
      CLOUDSDK_AUTH_DISABLE_CREDENTIALS: "true",
      CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: "true",
      CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: "true",
      // Each process that a copy starts loads all of gcloud.
      CLOUDSDK_STORAGE_PROCESS_COUNT: "1",
      CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${this.origin}/compute/v1/`,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${this.origin}/storage/v1/`,
    };
    const management = [
      "iam",
      "cloudresourcemanager",
      "serviceusage",
      "servicemanagement",
      "networkconnectivity",
      "redis",
      "secretmanager",
      "memorystore",
      "osconfig",
      "monitoring",
      "servicedirectory",
    ];
    for (const api of management) {
      variables[`CLOUDSDK_API_ENDPOINT_OVERRIDES_${api.toUpperCase()}`] =
        `${this.origin}/management/${api}/`;
    }
    return variables;
  }

  get(path: string): Json {
    const found = this.resources.get(path);
    if (!found) throw new ApiError(404, `The resource '${path}' was not found`, "notFound");
    return found;
  }

  add(path: string, document: Json): Json {
    if (this.resources.has(path)) {
      throw new ApiError(409, `The resource '${path}' already exists`, "alreadyExists");
    }
    this.#checkReferences(path, document);
    this.resources.set(path, document);
    return document;
  }

  delete(path: string): void {
    this.get(path);
    for (const [other, document] of this.resources) {
      const text = JSON.stringify(document);
      if (other !== path && text.includes(`${path}"`) && document.selfLink !== path) {
        throw new ApiError(
          400,
          `The resource '${path}' is already being used by '${other}'`,
          "resourceInUseByAnotherResource",
        );
      }
    }
    this.resources.delete(path);
    this.policies.delete(path);
    this.states.delete(path);
  }

  /** Documents whose path is `prefix` and one more name. */
  list(prefix: string): Json[] {
    return [...this.resources]
      .filter(([path]) =>
        path.startsWith(prefix + "/") && !path.slice(prefix.length + 1).includes("/")
      )
      .map(([, document]) => document);
  }

  /** Whether `member` holds `role` on what lies at `path`. */
  grants(path: string, member: string, role: string): boolean {
    const bindings: Json[] = this.policies.get(path)?.bindings ?? [];
    return bindings.some((it) => it.role === role && it.members.includes(member));
  }

  /** Google makes nothing that refers to what is not there. */
  #checkReferences(path: string, document: Json): void {
    const kinds =
      "networks|subnetworks|addresses|disks|resourcePolicies|healthChecks|backendServices|instanceGroups|instanceTemplates";
    const pattern = new RegExp(
      `projects/${PROJECT}/(?:global|regions/[^/"]+|zones/[^/"]+)/(?:${kinds})/[^/"]+`,
      "g",
    );
    for (const [reference] of JSON.stringify(document).matchAll(pattern)) {
      if (reference !== path && !this.resources.has(reference)) {
        throw new ApiError(404, `The resource '${reference}' was not found`, "notFound");
      }
    }
  }

  async #handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    const host = url.hostname.match(/^(.*)\.googleapis\.com$/)?.[1];
    const path = (host ? `management/${host}/` : "") + decodeURIComponent(url.pathname.slice(1));
    const recorded: Recorded = {
      method: request.method,
      path,
      body: request.headers.get("content-type")?.startsWith("application/json") && body.length > 0
        ? JSON.parse(new TextDecoder().decode(body))
        : undefined,
    };
    this.requests.push(recorded);
    try {
      const line = `${recorded.method} ${path}`;
      const fault = this.#faults.findIndex((it) => it.pattern.test(line));
      if (fault >= 0) throw this.#faults.splice(fault, 1)[0].error;
      const answer = APIS[path.split("/")[0]]?.(this, recorded, { body, query: url.searchParams });
      if (answer === undefined) {
        this.unknown.push(line);
        throw new ApiError(501, `The stand-in does not know ${line}`);
      }
      return answer instanceof Response ? answer : Response.json(answer);
    } catch (error) {
      if (error instanceof ApiError) return error.response();
      this.unknown.push(`${recorded.method} ${path}: ${error}`);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.#proxy[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
