/**
 * Puts one workload on one server and says what it took; a process of its own, so that it shares
 * nothing with the server but the machine. Replies are counted by their length and not parsed.
 *
 *     deno run -A bench/generator.ts '{"port": 11211, "pid": 1234, "connections": 50, …}'
 *
 * @module
 */

import { Histogram } from "../lib/load/histogram.ts";
import { type Frames, framesOf, type Workload } from "./frames.ts";
import { busySeconds, cpuSeconds, watchOthers } from "./processes.ts";
import { close, connect, Poll, receive, send } from "./sockets.ts";

/** What the generator is told. */
export interface Task extends Omit<Workload, "operation"> {
  /** `mixed` is nine batches of gets for one of sets, `half` one for one. */
  readonly operation: Workload["operation"] | "mixed" | "half";
  readonly port: number;
  /** The server's process, for its CPU time. */
  readonly pid: number;
  readonly connections: number;
  /** How long to go on before the clock runs, for the server's code to get warm. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /**
   * Batches a second, which become due by chance, whether those before are answered or not: an open loop.
   * Without it each connection sends the next batch when it has the replies to the last.
   */
  readonly rate?: number;
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
  /**
   * Of an open loop: milliseconds from when a batch was due to its last reply, that so many of a hundred
   * did not exceed.
   */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly p999: number };
}

/** Batches of gets for one of sets, by what is done. */
const GETS = { mixed: 9, half: 1 } as const;
/** Bytes of the batches that set every key once, about. */
const FILL_BYTES = 4 << 20;
/** A server that is silent for so long has failed, in milliseconds. */
const SILENCE = 10_000;

function generate(task: Task): Measurement {
  fill(task);
  const sockets = Array.from({ length: task.connections }, () => connect(task.port));
  const load = new Load(sockets, task);
  load.run(task.warmUpSeconds);
  const others = watchOthers([task.pid]);
  const before = { server: cpuSeconds(task.pid), busy: busySeconds() };
  const { rate } = task;
  const latencies = new Histogram();
  const { operations, seconds } = rate === undefined
    ? load.run(task.seconds)
    : load.runAt(rate, task.seconds, latencies);
  const serverCpu = cpuSeconds(task.pid) - before.server;
  const generatorBusy = busySeconds() - before.busy;
  const othersShare = others();
  sockets.forEach(close);
  const latency = rate === undefined ? undefined : {
    p50: latencies.percentile(50),
    p99: latencies.percentile(99),
    p999: latencies.percentile(99.9),
  };
  return { operations, seconds, serverCpu, generatorBusy, othersShare, latency };
}

/** Sets every key once. */
function fill(task: Task): void {
  const pipeline = Math.max(1, Math.min(100, Math.floor(FILL_BYTES / task.valueSize)));
  const workload = { ...task, operation: "set", pipeline } as const;
  const socket = connect(task.port);
  new Load([socket], workload).run(0, Math.ceil(task.keys / workload.pipeline));
  close(socket);
}

/** Connections that each send a batch, wait for its replies, and send the next. */
class Load {
  /** What is sent in turn, and what is in flight on each connection. */
  readonly #turns: readonly Frames[];
  readonly #frames: Frames[];
  readonly #poll: Poll;
  /** Bytes of the batch in flight that have not come, for each connection. */
  readonly #missing: Int32Array;
  readonly #memory = new Uint8Array(256 * 1024);
  #next = 0;
  #sent = 0;

  constructor(
    readonly sockets: number[],
    readonly workload: Omit<Workload, "operation"> & Pick<Task, "operation">,
  ) {
    const frames = (operation: Workload["operation"]) => framesOf({ ...workload, operation });
    const { operation } = workload;
    this.#turns = operation === "mixed" || operation === "half"
      ? [...Array(GETS[operation]).fill(frames("get")), frames("set")]
      : [frames(operation)];
    this.#frames = sockets.map(() => this.#turns[0]!);
    this.#poll = new Poll(sockets);
    this.#missing = new Int32Array(sockets.length);
  }

  /** Runs for so many seconds and so many batches, whichever takes longer. */
  run(wantedSeconds: number, wantedBatches = 0): { operations: number; seconds: number } {
    const { pipeline } = this.workload;
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
        if (!this.#isAnswered(index)) continue;
        batches++;
        if (ending) inFlight--;
        else this.#send(index);
      }
    }
    return { operations: batches * pipeline, seconds: (performance.now() - start) / 1000 };
  }

  /**
   * Lets batches become due for so many seconds, at random moments; one that finds no connection without
   * another waits for it, and its time counts.
   *
   * @param rate batches a second
   */
  runAt(rate: number, wantedSeconds: number, latencies: Histogram) {
    const start = performance.now();
    const end = start + wantedSeconds * 1000;
    const idle = this.sockets.map((_, index) => index);
    const dueAt = new Float64Array(this.sockets.length);
    let due = start;
    let batches = 0;
    while (due < end || idle.length < this.sockets.length) {
      for (let now = performance.now(); due <= now && due < end && idle.length > 0;) {
        // The connection that has rested longest, so that all take part.
        const index = idle.shift()!;
        dueAt[index] = due;
        this.#send(index);
        due -= Math.log(1 - Math.random()) * 1000 / rate;
        now = performance.now();
      }
      const pause = due < end && idle.length > 0 ? Math.max(0, due - performance.now()) : SILENCE;
      if (this.#poll.wait(pause) === 0) {
        if (pause === SILENCE) throw new Error("the server does not answer");
        continue;
      }
      for (let index = 0; index < this.sockets.length; index++) {
        if (!this.#isAnswered(index)) continue;
        latencies.record(performance.now() - dueAt[index]!);
        idle.push(index);
        batches++;
      }
    }
    const seconds = (performance.now() - start) / 1000;
    return { operations: batches * this.workload.pipeline, seconds };
  }

  /** Takes what has come on a connection; returns whether that was the rest of its replies. */
  #isAnswered(index: number): boolean {
    if (!this.#poll.ready(index)) return false;
    const { reply } = this.#frames[index]!;
    const count = receive(this.sockets[index]!, this.#memory);
    const missing = this.#missing[index]! -= count;
    const whole = reply.length * this.workload.pipeline;
    this.#check(this.#frames[index]!, count, missing + count === whole, missing === 0);
    return missing === 0;
  }

  #send(index: number): void {
    const frames = this.#frames[index] = this.#turns[this.#sent++ % this.#turns.length]!;
    send(this.sockets[index]!, frames.batches[this.#next]!);
    this.#next = (this.#next + 1) % frames.batches.length;
    this.#missing[index] = frames.reply.length * this.workload.pipeline;
  }

  /**
   * Lengths would not tell an error line from a reply; the first byte and the last word do. An error of the
   * binary protocol has another length than a reply.
   */
  #check({ reply, endsAlike }: Frames, count: number, first: boolean, last: boolean): void {
    const bytes = this.#memory;
    const whole = count > 0 &&
      (!first || bytes[0] === reply[0]) &&
      (!last || !endsAlike || count < 5 || bytes[count - 3] === reply[reply.length - 3]);
    if (whole) return;
    const text = new TextDecoder().decode(bytes.subarray(0, Math.min(count, 80)));
    throw new Error(`the server answered ${JSON.stringify(text)}`);
  }
}

if (import.meta.main) console.log(JSON.stringify(generate(JSON.parse(Deno.args[0]!))));
