/**
 * The hash at the prefix: which revisions are free, and what is flushed. `FORMAT.md` says why it is
 * so; a script does every step, so that any number of servers can use it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Clock } from "../../clock.ts";
import { StoreError } from "../../errors.ts";
import { RefusedError } from "./failure.ts";
import type { Nodes } from "./nodes.ts";
import type { Reply } from "./request.ts";
import { Script, ScriptCall } from "./script.ts";

/** Revisions that a server reserves at a time. */
const BLOCK = 65_536;
/** How long a server relies on what it has seen, in milliseconds from when it asked. */
export const LEASE = 900;
/** How often a server asks, in milliseconds. */
const INTERVAL = 250;
/** How often it asks while it waits for others to see a flush. */
const WAITING_INTERVAL = 20;

/** No key's bytes: the ledger's key is the prefix alone. */
export const LEDGER_KEY = new Uint8Array(0);

// Numbers become text by %.0f: Lua's own way keeps 14 digits, and a revision has 16.
const SYNC = new Script(`
local ledger, id, clock = KEYS[1], ARGV[1], tonumber(ARGV[2])
-- A script that has begun to write may go on when Redis is out of memory: reads depend on this one.
redis.call('HDEL', ledger, '')
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('HMGET', ledger, 'next', 'flushed', 'pending', 'order', 'sweeper', 'swept')
local function number(text) return tonumber(text or '0') or 0 end
local function text(number) return string.format('%.0f', number) end
-- What a server has reserved counts, also where the ledger was lost.
local next = math.max(number(kept[1]), now, number(ARGV[11]))
local flushed = math.max(number(kept[2]), number(ARGV[3]))
local pending, order = number(kept[3]), number(kept[4])
local seen = number(ARGV[5])
-- A server that knows of a later order than the ledger restores what a failover has lost.
if seen > order then order, pending = seen, number(ARGV[4]) end
if pending > 0 and pending <= clock then
  flushed, pending, next = next, 0, next + 1
end
if ARGV[7] ~= '' then
  local at = tonumber(ARGV[7])
  order, next = next, next + 1
  if at <= clock then flushed, pending, next = next, 0, next + 1 else pending = at end
  seen = order
end
local block = 0
if ARGV[6] == '1' or number(ARGV[10]) < flushed then
  block, next = next, next + ${BLOCK}
end
redis.call('HSET', ledger, 'next', text(next), 'flushed', text(flushed), 'pending', text(pending),
  'order', text(order))
if ARGV[8] == 'leave' then
  redis.call('HDEL', ledger, 'server:' .. id)
elseif seen == order then
  redis.call('HSET', ledger, 'server:' .. id, text(now + ${LEASE}000) .. ' ' .. text(order))
end
local behind = 0
local all = redis.call('HGETALL', ledger)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 7) == 'server:' and all[i] ~= 'server:' .. id then
    local till, known = string.match(all[i + 1], '^(%d+) (%d+)$')
    if number(till) < now - 60000000 then
      redis.call('HDEL', ledger, all[i])
    elseif number(till) > now and number(known) < order then
      behind = behind + 1
    end
  end
end
local sweeps = 0
local office, till = string.match(kept[5] or '', '^(%S+) (%d+)$')
if ARGV[8] == 'sweep' and (office == id or number(till) < now) then
  redis.call('HSET', ledger, 'sweeper', id .. ' ' .. text(now + 5000000))
  sweeps = 1
elseif ARGV[8] ~= 'sweep' and office == id then
  redis.call('HDEL', ledger, 'sweeper')
end
local swept = kept[6] or ''
if ARGV[9] ~= '' then
  swept = ARGV[9] .. ' ' .. text(now)
  redis.call('HSET', ledger, 'swept', swept)
end
return { flushed, pending, order, block, behind, sweeps, swept, now }
`);

/** The last complete sweep, whichever server made it. */
export interface Swept {
  /** The items with a lower revision were deleted. */
  readonly flushed: number;
  readonly items: number;
  readonly bytes: number;
  /** How long it took, in milliseconds. */
  readonly took: number;
  /** How long ago it ended, in milliseconds. */
  readonly ago: number;
}

/** What a server knows of the ledger. */
export class Ledger {
  /** Items with a lower revision are flushed. */
  flushed = 0;
  /** Why Redis refuses to keep the ledger, without which no request is served; empty where it does not. */
  refusal = "";
  /** The last sweep that the ledger has noted. */
  swept: Swept | undefined;
  /** Whether this server may sweep. */
  sweeps = false;
  /** Whether this server would like to. */
  wantsSweep = false;
  #sweptNews = "";
  #pending = 0;
  #order = 0;
  #next = 0;
  #end = 0;
  #spare = 0;
  #seenAt = -Infinity;
  /** The same by the wall clock, which also runs while the machine is suspended. */
  #seenTime = -Infinity;
  #syncing: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  readonly #id = crypto.randomUUID();

  readonly #nodes: Nodes;
  readonly #prefix: Uint8Array;
  readonly #clock: Clock;
  readonly #timeout: number;

  constructor(
    nodes: Nodes,
    prefix: Uint8Array,
    clock: Clock,
    timeout: number,
  ) {
    this.#nodes = nodes;
    this.#prefix = prefix;
    this.#clock = clock;
    this.#timeout = timeout;
  }

  /**
   * Whether a request that came at `now`, by `performance.now()`, may rely on what is known.
   *
   * @param time the same moment by the wall clock
   */
  isFresh(now: number, time = Date.now()): boolean {
    return now - this.#seenAt < LEASE && time - this.#seenTime < LEASE &&
      this.hasRevisions && (this.#pending === 0 || this.#pending > this.#clock.now());
  }

  /** Whether there is a revision to {@linkcode take}. */
  get hasRevisions(): boolean {
    return this.#next < this.#end;
  }

  /** Asks the ledger, once for all who want it at the same time. */
  sync(): Promise<void> {
    return this.#syncing ??= this.#ask("").then(() => {}).finally(() => this.#syncing = undefined);
  }

  /**
   * Asks until a request that came at `now` may rely on what is known: however long the answer takes, a flush that
   * it does not tell of was not acknowledged by then.
   */
  async refresh(now = performance.now(), time = Date.now()): Promise<void> {
    do await this.sync(); while (!this.isFresh(now, time));
  }

  /** The ledger may be another one, which knows nothing of what is relied on here: it is asked first. */
  doubt(): void {
    this.#seenAt = -Infinity;
  }

  /** A revision that nobody else has or will have. Only while {@linkcode isFresh}. */
  take(): number {
    const revision = this.#next++;
    if (this.#next === this.#end && this.#spare !== 0) {
      this.#next = this.#spare;
      this.#end = this.#spare + BLOCK;
      this.#spare = 0;
    } else if (this.#spare === 0 && this.#end - this.#next === BLOCK >> 1) {
      this.sync().catch(() => {});
    }
    return revision;
  }

  /** Orders a flush, and is done when no server relies on anything older. */
  async flush(at: number): Promise<void> {
    const deadline = performance.now() + Math.max(this.#timeout, 2 * LEASE);
    let behind = await this.#ask(String(Math.max(0, Math.ceil(at))));
    while (behind > 0) {
      if (performance.now() > deadline) {
        throw new StoreError("The flush is ordered, but not yet known to every server");
      }
      await new Promise((resolve) => setTimeout(resolve, WAITING_INTERVAL));
      behind = await this.#ask("");
    }
  }

  /** Notes a complete sweep. */
  noteSweep(flushed: number, items: number, bytes: number, took: number): void {
    this.#sweptNews = `${flushed} ${items} ${bytes} ${Math.ceil(took)}`;
  }

  /** Begins to ask from time to time. */
  start(): void {
    const again = async () => {
      await this.sync().catch(() => {});
      if (!this.#closed) this.#timer = setTimeout(again, INTERVAL);
    };
    this.#timer = setTimeout(again, INTERVAL);
  }

  /** Ends, and tells the other servers so, that they need not wait for this one. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#syncing?.catch(() => {});
    if (this.#seenAt > -Infinity) await this.#ask("", "leave").catch(() => {});
  }

  /** One run of the script. Returns the number of servers that rely on older knowledge. */
  async #ask(flushAt: string, duty = this.wantsSweep ? "sweep" : ""): Promise<number> {
    const askedAt = performance.now();
    const askedTime = Date.now();
    const seen = this.#order;
    const news = this.#sweptNews;
    const short = this.#spare === 0 && this.#end - this.#next <= BLOCK >> 1;
    const words = [
      this.#id,
      String(Math.floor(this.#clock.now())),
      String(this.flushed),
      String(this.#pending),
      String(seen),
      short && duty !== "leave" ? "1" : "0",
      flushAt,
      duty,
      news,
      String(this.#next),
      String(Math.max(this.#end, this.#spare + BLOCK)),
    ];
    const flushes = flushAt !== "";
    const deadline = askedAt + this.#timeout;
    const call = new ScriptCall(SYNC, this.#prefix, LEDGER_KEY, words, deadline, flushes);
    this.#nodes.send(call);
    const reply = await call.reply.catch((error) => {
      if (error instanceof RefusedError) this.refusal = error.message;
      throw error;
    });
    this.refusal = "";
    const [flushed, pending, order, block, behind, sweeps, swept, now] = reply as Reply[];
    if (news !== "" && this.#sweptNews === news) this.#sweptNews = "";
    this.sweeps = sweeps === 1;
    this.#noteSwept(swept as Buffer, now as number);
    this.#learn(flushed as number, pending as number, order as number, block as number);
    // What was news is not relied on before the ledger has noted that it is known here.
    if (order !== seen && flushAt === "" && duty !== "leave") return await this.#ask("");
    if (askedAt > this.#seenAt) {
      this.#seenAt = askedAt;
      this.#seenTime = askedTime;
    }
    return behind as number;
  }

  #learn(flushed: number, pending: number, order: number, block: number): void {
    // Replies come in their order, but for a cluster's redirections.
    if (order >= this.#order) {
      this.#order = order;
      this.#pending = pending;
    }
    this.flushed = Math.max(this.flushed, flushed);
    if (this.#next < this.flushed) this.#next = this.#end = this.#spare = 0;
    if (this.#spare < this.flushed) this.#spare = 0;
    if (block <= this.flushed) return;
    if (this.#next === this.#end) {
      this.#next = block;
      this.#end = block + BLOCK;
    } else {
      this.#spare = block;
    }
  }

  #noteSwept(text: Buffer, now: number): void {
    const [flushed, items, bytes, took, endedAt] = text.toString().split(" ").map(Number);
    if (endedAt === undefined) return;
    this.swept = { flushed, items, bytes, took, ago: (now - endedAt) / 1000 };
  }
}
