/**
 * Small gets at a steady rate, and how long they take, while other connections of the same process set large
 * values without a pause. One process that never sleeps: three on two cores would measure the scheduler.
 *
 *     deno run -A bench/beside.ts '{"port": 11211, "pid": 1234, "connections": 20, …}'
 *
 * @module
 */

import { framesOf, type Operation } from "./frames.ts";
import { busiestThread, cpuSeconds, threadWaited, watchOthers } from "./processes.ts";
import { close, connect, Poll, receive, send, sendSome } from "./sockets.ts";

/** What this is told. */
export interface BesideTask {
  readonly port: number;
  readonly pid: number;
  /** Connections that get, and gets a second on all of them together. */
  readonly connections: number;
  readonly perSecond: number;
  /** Bytes of the values that are got. */
  readonly valueSize: number;
  /** Connections that set values of so many bytes meanwhile; none for 0. */
  readonly setters: number;
  readonly setSize: number;
  readonly seconds: number;
}

/** What it found. Times are milliseconds, from the moment at which a get was due. */
export interface Beside {
  readonly gets: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** The same without the time that the server's thread or this one waited for a processor. */
  readonly ownP50: number;
  readonly ownP99: number;
  readonly ownLongest: number;
  /** Large values that were set a second. */
  readonly setsPerSecond: number;
  /** CPU time of the server, divided by the time that went by. */
  readonly serverShare: number;
  readonly othersShare: number;
}

/** Keys that are set, and as many others that are got. */
const KEYS = 100;
/** How long everything goes on before anything counts, in seconds. */
const WARM_UP = 1;
/** Bytes that are sent in one go: meanwhile no reply is seen. */
const PIECE = 64 * 1024;

function run(task: BesideTask): Beside {
  const { port, pid, valueSize, seconds } = task;
  fill(port, requestsOf("set", valueSize, true));
  const load = new Load(task);
  load.run(WARM_UP);
  const others = watchOthers([pid]);
  const before = cpuSeconds(pid);
  const { times, own, sets } = load.run(seconds);
  const serverShare = (cpuSeconds(pid) - before) / seconds;
  const othersShare = others();
  load.close();
  const at = (times: number[], share: number) => times[Math.floor((times.length - 1) * share)]!;
  return {
    ...{ gets: times.length, p50: at(times, 0.5), p99: at(times, 0.99), longest: at(times, 1) },
    ...{ ownP50: at(own, 0.5), ownP99: at(own, 0.99), ownLongest: at(own, 1) },
    ...{ setsPerSecond: sets / seconds, serverShare, othersShare },
  };
}

/** Requests, and the length of the reply to each. */
interface Requests {
  readonly requests: readonly Uint8Array<ArrayBuffer>[];
  readonly reply: number;
}

/** Requests of the keys that are set, or of the others. */
function requestsOf(operation: Operation, valueSize: number, others: boolean): Requests {
  const { batches, reply } = framesOf({ operation, valueSize, keys: 2 * KEYS, pipeline: 1 });
  const decoder = new TextDecoder();
  const requests = batches.filter((bytes) => {
    const key = Number(/key:(\d+)/.exec(decoder.decode(bytes.subarray(0, 40)))![1]);
    return key >= KEYS === others;
  });
  return { requests, reply: reply.length };
}

function fill(port: number, { requests, reply }: Requests): void {
  const socket = connect(port);
  const into = new Uint8Array(reply);
  for (const request of requests) {
    send(socket, request);
    for (let missing = reply; missing > 0;) missing -= receive(socket, into);
  }
  close(socket);
}

/** A connection that sets one large value after another. */
class Setter {
  readonly socket: number;
  readonly #into = new Uint8Array(64);
  readonly #of: Requests;
  #request: Uint8Array<ArrayBuffer>;
  #sent = 0;
  #missing: number;
  #next = 0;

  constructor(port: number, of: Requests) {
    this.socket = connect(port);
    this.#of = of;
    this.#request = of.requests[0]!;
    this.#missing = of.reply;
  }

  /** Sends some of what it is to send. */
  send(): void {
    const end = Math.min(this.#request.length, this.#sent + PIECE);
    if (end === this.#sent) return;
    this.#sent += sendSome(this.socket, this.#request.subarray(this.#sent, end));
  }

  /** Takes what has come; returns whether that was the end of a reply. */
  receive(): boolean {
    this.#missing -= receive(this.socket, this.#into);
    if (this.#missing > 0) return false;
    const { requests, reply } = this.#of;
    this.#request = requests[this.#next++ % requests.length]!;
    this.#sent = 0;
    this.#missing = reply;
    return true;
  }
}

/** What a get is when it is sent: when it was due, and how long anybody had waited for a processor then. */
interface Sent {
  readonly due: number;
  readonly waited: number;
}

/** All connections. */
class Load {
  readonly #pid: number;
  /** The server's thread that does the work, as soon as there was some. */
  #thread = 0;
  readonly #sockets: number[];
  readonly #setters: Setter[];
  readonly #poll: Poll;
  readonly #gets: Requests;
  readonly #perSecond: number;
  readonly #into = new Uint8Array(1 << 16);

  constructor(task: BesideTask) {
    const { port, connections, perSecond, valueSize, setters, setSize } = task;
    this.#pid = task.pid;
    this.#gets = requestsOf("get", valueSize, true);
    this.#perSecond = perSecond;
    this.#sockets = Array.from({ length: connections }, () => connect(port));
    const sets = requestsOf("set", setSize, false);
    this.#setters = Array.from({ length: setters }, () => new Setter(port, sets));
    this.#poll = new Poll([...this.#sockets, ...this.#setters.map(({ socket }) => socket)]);
  }

  /** How long this thread and the server's have waited for a processor so far, in milliseconds. */
  #waited(): number {
    return threadWaited(Deno.pid, Deno.pid) + threadWaited(this.#pid, this.#thread);
  }

  /**
   * Goes on for so many seconds; returns how long each get took, in order, with and without waits for a
   * processor, and how many sets there were.
   */
  run(seconds: number): { times: number[]; own: number[]; sets: number } {
    const { requests, reply } = this.#gets;
    const sockets = this.#sockets;
    const setters = this.#setters;
    this.#thread = busiestThread(this.#pid);
    /** What is under way on each connection, the first first; and bytes that are missing. */
    const under: Sent[][] = sockets.map(() => []);
    const missing = sockets.map(() => 0);
    const times: number[] = [];
    const own: number[] = [];
    const count = Math.floor(this.#perSecond * seconds);
    let waited = this.#waited();
    const began = performance.now();
    let sets = 0;
    for (let sent = 0; times.length < count;) {
      const due = began + sent * 1000 / this.#perSecond;
      if (sent < count && due <= performance.now()) {
        const index = sent % sockets.length;
        send(sockets[index]!, requests[sent % requests.length]!);
        // As of the last reply: what anybody has waited since then has made this get late too.
        under[index]!.push({ due, waited });
        missing[index]! += reply;
        sent++;
      }
      for (const setter of setters) setter.send();
      if (this.#poll.wait(0) === 0) continue;
      const came = performance.now();
      waited = this.#waited();
      for (let index = 0; index < sockets.length; index++) {
        if (!this.#poll.ready(index)) continue;
        const before = missing[index]!;
        const after = missing[index] = before - receive(sockets[index]!, this.#into);
        for (let n = Math.ceil(before / reply) - Math.ceil(after / reply); n > 0; n--) {
          const get = under[index]!.shift()!;
          times.push(came - get.due);
          own.push(Math.max(0, came - get.due - (waited - get.waited)));
        }
      }
      for (const [index, setter] of setters.entries()) {
        if (this.#poll.ready(sockets.length + index) && setter.receive()) sets++;
      }
    }
    const ascending = (a: number, b: number) => a - b;
    return { times: times.sort(ascending), own: own.sort(ascending), sets };
  }

  close(): void {
    this.#sockets.forEach(close);
    for (const { socket } of this.#setters) close(socket);
  }
}

if (import.meta.main) console.log(JSON.stringify(run(JSON.parse(Deno.args[0]!))));
