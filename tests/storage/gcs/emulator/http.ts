/**
 * HTTP/1.1 as a server that can misbehave: it can reset a connection, close it, cut an answer off or
 * say nothing. `Deno.serve` can do none of these, so this speaks HTTP over `node:net` itself.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import net from "node:net";

/** One request, with its whole body. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as they were sent, not decoded. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** How a connection is treated instead of an answer. */
export type Breakage = "reset" | "close" | "stall";

/** An answer; `content-length` and `date` are added. */
export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sends the head and half of the body, then resets the connection. */
  readonly cut?: boolean;
  /** Sends the head and half of the body, then nothing. */
  readonly hang?: boolean;
}

/** Answers requests; those of one connection one after another. */
export type HttpHandler = (
  request: HttpRequest,
) => HttpResponse | Breakage | Promise<HttpResponse | Breakage>;

const reasons: Record<number, string> = {
  200: "OK",
  201: "Created",
  204: "No Content",
  206: "Partial Content",
  304: "Not Modified",
  308: "Resume Incomplete",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  410: "Gone",
  412: "Precondition Failed",
  416: "Requested Range Not Satisfiable",
  429: "Too Many Requests",
  499: "Client Closed Request",
  503: "Service Unavailable",
};

/** A listening server. */
export class HttpServer {
  readonly #sockets = new Set<net.Socket>();
  readonly #server: net.Server;

  private constructor(handler: HttpHandler) {
    this.#server = net.createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      new Connection(socket, handler);
    });
  }

  /** Listens on 127.0.0.1; port 0 takes a free one. */
  static listen(port: number, handler: HttpHandler): Promise<HttpServer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpServer>();
    const server = new HttpServer(handler);
    server.#server.once("error", reject);
    server.#server.listen(port, "127.0.0.1", () => resolve(server));
    return promise;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Resets every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Resets every connection and stops to listen. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.reset();
    return promise;
  }
}

class Connection {
  #received: Buffer = Buffer.alloc(0);
  /** What has come behind that. */
  #more: Buffer[] = [];
  #moreLength = 0;
  /** How many bytes the next request takes at least: fewer are not looked at. */
  #wanted = 0;
  #busy = false;

  constructor(readonly socket: net.Socket, readonly handler: HttpHandler) {
    socket.on("data", (chunk: Buffer) => {
      this.#more.push(chunk);
      this.#moreLength += chunk.length;
      if (this.#received.length + this.#moreLength < this.#wanted) return;
      void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (;;) {
      const request = this.#next();
      if (request === undefined) break;
      const response = await this.handler(request);
      if (response === "stall") return;
      if (response === "reset") return void this.socket.resetAndDestroy();
      if (response === "close") return void this.socket.end();
      this.#send(request, response);
      if (response.cut || response.hang) return;
    }
    this.#busy = false;
  }

  /** The next request that is complete in what has come. */
  #next(): HttpRequest | undefined {
    if (this.#moreLength > 0) {
      const [only, ...others] = this.#more;
      this.#received = this.#received.length === 0 && others.length === 0
        ? only
        : Buffer.concat([this.#received, ...this.#more]);
      this.#more = [];
      this.#moreLength = 0;
    }
    this.#wanted = 0;
    const received = this.#received;
    const end = received.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const [first, ...lines] = received.toString("latin1", 0, end).split("\r\n");
    const [method, target] = first.split(" ");
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const start = end + 4;
    if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
      const chunked = readChunked(received, start);
      if (chunked === undefined) return undefined;
      this.#received = received.subarray(chunked.end);
      return { method, target, headers, body: chunked.body };
    }
    const length = Number(headers.get("content-length") ?? 0);
    if (received.length < start + length) {
      if (headers.get("expect") === "100-continue") {
        this.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      }
      this.#wanted = start + length;
      return undefined;
    }
    this.#received = received.subarray(start + length);
    return { method, target, headers, body: received.subarray(start, start + length) };
  }

  #send(request: HttpRequest, response: HttpResponse): void {
    const body = typeof response.body === "string"
      ? Buffer.from(response.body)
      : response.body ?? new Uint8Array(0);
    let head = `HTTP/1.1 ${response.status} ${reasons[response.status] ?? "Status"}\r\n` +
      `date: ${new Date().toUTCString()}\r\n`;
    const headers = response.headers ?? {};
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
    if (headers["content-length"] === undefined && response.status !== 204) {
      head += `content-length: ${body.length}\r\n`;
    }
    head += "\r\n";
    if (response.cut || response.hang) {
      this.socket.write(head, "latin1");
      const half = body.subarray(0, body.length >> 1);
      this.socket.write(half, () => {
        if (response.cut) setTimeout(() => this.socket.resetAndDestroy(), 5);
      });
    } else if (body.length === 0 || request.method === "HEAD") {
      this.socket.write(head, "latin1");
    } else if (body.length < 16384) {
      const whole = Buffer.allocUnsafe(head.length + body.length);
      whole.write(head, 0, "latin1");
      whole.set(body, head.length);
      this.socket.write(whole);
    } else {
      this.socket.write(head, "latin1");
      this.socket.write(body);
    }
  }
}

/** RFC 9112, section 7.1. */
function readChunked(
  bytes: Buffer,
  start: number,
): { body: Uint8Array; end: number } | undefined {
  const parts: Uint8Array[] = [];
  for (let at = start;;) {
    const line = bytes.indexOf("\r\n", at);
    if (line === -1) return undefined;
    const size = parseInt(bytes.toString("latin1", at, line), 16);
    if (bytes.length < line + 4 + size) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), end: line + 4 };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}
