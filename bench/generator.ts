/**
 * Puts one workload on one server and says what it took; a process of its own, so that it shares
 * nothing with the server but the machine. Replies are counted by their length and not parsed.
 *
 *     deno run -A bench/generator.ts '{"port": 11211, "pid": 1234, "connections": 50, …}'
 *
 * @module
 */

import { framesOf, type Workload } from "./frames.ts";
import { busySeconds, cpuSeconds, watchOthers } from "./processes.ts";
import { close, connect, Poll, receive, send } from "./sockets.ts";

/** What the generator is told. */
export interface Task extends Workload {
  readonly port: number;
  /** The server's process, for its CPU time. */
  readonly pid: number;
  readonly connections: number;
  /** How long to go on before the clock runs, for the server's code to get warm. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** What the generator found. */
export interface Measurement {
  readonly operations: number;
  readonly seconds: number;
  /** CPU time of the server's process, user and system. */
  readonly serverCpu: number;
  /** How long the generator had something to do: its CPU time and its wait for a CPU. */
  readonly generatorBusy: number;
  /** CPU time of all else on the machine, divided by the time of all its cores. */
  readonly othersShare: number;
}

/** A server that is silent for so long has failed, in milliseconds. */
const SILENCE = 10_000;

function generate(task: Task): Measurement {
  fill(task);
  const sockets = Array.from({ length: task.connections }, () => connect(task.port));
  const load = new Load(sockets, task);
  load.run(task.warmUpSeconds);
  const others = watchOthers([task.pid]);
  const before = { server: cpuSeconds(task.pid), busy: busySeconds() };
  const { operations, seconds } = load.run(task.seconds);
  const serverCpu = cpuSeconds(task.pid) - before.server;
  const generatorBusy = busySeconds() - before.busy;
  const othersShare = others();
  sockets.forEach(close);
  return { operations, seconds, serverCpu, generatorBusy, othersShare };
}

/** Sets every key once. */
function fill(task: Task): void {
  const workload = { ...task, operation: "set", pipeline: 100 } as const;
  const socket = connect(task.port);
  new Load([socket], workload).run(0, Math.ceil(task.keys / workload.pipeline));
  close(socket);
}

/** Connections that each send a batch, wait for its replies, and send the next. */
class Load {
  readonly #frames;
  readonly #poll: Poll;
  /** Bytes of the batch in flight that have not come, for each connection. */
  readonly #missing: Int32Array;
  readonly #memory = new Uint8Array(256 * 1024);
  #next = 0;

  constructor(readonly sockets: number[], readonly workload: Workload) {
    this.#frames = framesOf(workload);
    this.#poll = new Poll(sockets);
    this.#missing = new Int32Array(sockets.length);
  }

  /** Runs for so many seconds and so many batches, whichever takes longer. */
  run(wantedSeconds: number, wantedBatches = 0): { operations: number; seconds: number } {
    const { pipeline } = this.workload;
    const reply = this.#frames.reply.length * pipeline;
    const start = performance.now();
    const end = start + wantedSeconds * 1000;
    let batches = 0;
    let inFlight = this.sockets.length;
    let ending = false;
    this.sockets.forEach((_, index) => this.#send(index));
    while (inFlight > 0) {
      if (this.#poll.wait(SILENCE) === 0) throw new Error("the server does not answer");
      ending ||= performance.now() >= end && batches >= wantedBatches;
      for (let index = 0; index < this.sockets.length; index++) {
        if (!this.#poll.ready(index)) continue;
        const count = receive(this.sockets[index]!, this.#memory);
        const missing = this.#missing[index]! -= count;
        this.#check(count, missing + count === reply, missing === 0);
        if (missing > 0) continue;
        batches++;
        if (ending) inFlight--;
        else this.#send(index);
      }
    }
    return { operations: batches * pipeline, seconds: (performance.now() - start) / 1000 };
  }

  #send(index: number): void {
    send(this.sockets[index]!, this.#frames.batches[this.#next]!);
    this.#next = (this.#next + 1) % this.#frames.batches.length;
    this.#missing[index] = this.#frames.reply.length * this.workload.pipeline;
  }

  /**
   * Lengths would not tell an error line from a reply; the first byte and the last word do. An error of the
   * binary protocol has another length than a reply.
   */
  #check(count: number, first: boolean, last: boolean): void {
    const bytes = this.#memory;
    const { reply, endsAlike } = this.#frames;
    const whole = count > 0 &&
      (!first || bytes[0] === reply[0]) &&
      (!last || !endsAlike || count < 5 || bytes[count - 3] === reply[reply.length - 3]);
    if (whole) return;
    const text = new TextDecoder().decode(bytes.subarray(0, Math.min(count, 80)));
    throw new Error(`the server answered ${JSON.stringify(text)}`);
  }
}

if (import.meta.main) console.log(JSON.stringify(generate(JSON.parse(Deno.args[0]!))));
