/**
 * The C library's own sockets. `Deno.connect` spends several microseconds of CPU a request, as much
 * as the servers that are to be measured; with these calls the generator needs about half of that,
 * so that on two cores the server is the limit. Linux only, as is all of this folder.
 *
 * @module
 */

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept: { parameters: ["i32", "pointer", "pointer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ppoll: { parameters: ["buffer", "u64", "buffer", "pointer"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u64", "i32"], result: "i64" },
  send: { parameters: ["i32", "buffer", "u64", "i32"], result: "i64" },
});

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
/** Seconds. */
const FOREVER = 2 ** 31;
const BACKLOG = 128;
const ON = new Uint8Array(new Int32Array([1]).buffer);

/** A socket connected to a port of 127.0.0.1. */
export function connect(port: number): number {
  const socket = open();
  if (libc.connect(socket, address(port), 16) !== 0) throw new Error(`cannot connect to ${port}`);
  return withoutDelay(socket);
}

/** A socket that listens on a port of 127.0.0.1. */
export function listen(port: number): number {
  const socket = open();
  libc.setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, ON, 4);
  if (libc.bind(socket, address(port), 16) !== 0 || libc.listen(socket, BACKLOG) !== 0) {
    throw new Error(`cannot listen on ${port}`);
  }
  return socket;
}

/** The next connection of a listening socket. */
export function accept(listening: number): number {
  return withoutDelay(libc.accept(listening, null, null));
}

/** Reads what has come, up to the length of `into`; 0 when the other side has closed. */
export function receive(socket: number, into: Uint8Array<ArrayBuffer>): number {
  const count = Number(libc.recv(socket, into, BigInt(into.length), 0));
  if (count < 0) throw new Error("the connection was lost");
  return count;
}

/** Sends all of `bytes`. */
export function send(socket: number, bytes: Uint8Array<ArrayBuffer>): void {
  const count = Number(libc.send(socket, bytes, BigInt(bytes.length), MSG_NOSIGNAL));
  if (count < 0) throw new Error("the connection was lost");
  if (count < bytes.length) send(socket, bytes.subarray(count));
}

/** Sends what there is room for of `bytes` without a wait; returns how many bytes those were. */
export function sendSome(socket: number, bytes: Uint8Array<ArrayBuffer>): number {
  const flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  // That it would have to wait looks like an error here; a connection that is lost shows in what is received.
  return Math.max(0, Number(libc.send(socket, bytes, BigInt(bytes.length), flags)));
}

export function close(socket: number): void {
  libc.close(socket);
}

/** Sockets to wait for: which of them have something to be read. */
export class Poll {
  #entries = new Int32Array(0);
  #bytes = new Uint8Array(0);
  /** A `struct timespec`: seconds and nanoseconds. */
  readonly #timeout = new BigInt64Array(2);
  readonly #timeoutBytes = new Uint8Array(this.#timeout.buffer);

  constructor(readonly sockets: number[] = []) {
    this.update();
  }

  /** To be called when `sockets` has changed. */
  update(): void {
    // A struct pollfd is the descriptor and two 16-bit fields: wanted events and those that came.
    this.#entries = Int32Array.from(this.sockets.flatMap((socket) => [socket, POLLIN]));
    this.#bytes = new Uint8Array(this.#entries.buffer);
  }

  /** Waits for at most `timeout` milliseconds, for ever below 0; returns how many sockets are ready. */
  wait(timeout: number): number {
    const seconds = timeout < 0 ? FOREVER : timeout / 1000;
    this.#timeout[0] = BigInt(Math.floor(seconds));
    this.#timeout[1] = BigInt(Math.floor(seconds % 1 * 1e9));
    return libc.ppoll(this.#bytes, BigInt(this.sockets.length), this.#timeoutBytes, null);
  }

  /** Whether the socket at `index` is ready since the last {@linkcode wait}. */
  ready(index: number): boolean {
    return this.#entries[2 * index + 1]! >>> 16 !== 0;
  }
}

function open(): number {
  const socket = libc.socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) throw new Error("cannot open a socket");
  return socket;
}

function withoutDelay(socket: number): number {
  libc.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, ON, 4);
  return socket;
}

/** A `struct sockaddr_in` of 127.0.0.1. */
function address(port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  new Uint16Array(bytes.buffer)[0] = AF_INET;
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set([127, 0, 0, 1], 4);
  return bytes;
}
