/**
 * Commands that show what servers do as it happens: `watch` in memcached's words, `monitor` in columns.
 *
 * @module
 */

import { bytesOfBinaryString } from "../../bytes.ts";
import { complain, paint, print, quoted, shown } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Address } from "../address.ts";
import type { ConnectionOptions } from "../connection.ts";
import { RequestError } from "../errors.ts";
import { watchServer } from "../watch.ts";
import type { Command } from "./command.ts";
import { keyField, lineOf } from "./keys.ts";
import { pattern } from "./pattern.ts";

const STREAMS = [
  "fetchers",
  "mutations",
  "evictions",
  "deletions",
  "connevents",
  "sysevents",
  "rawcmds",
];

const COLOURS: Readonly<Record<string, Parameters<typeof paint>[0]>> = {
  item_get: "green",
  item_store: "yellow",
  eviction: "red",
  deleted: "magenta",
  conn_new: "blue",
  conn_close: "blue",
};

export const watch: Command = {
  takes: "[STREAM…]",
  arguments: [0, STREAMS.length],
  options: [],
  help: "print what the first server does as it happens; STREAM is fetchers, mutations, …",
  details: `Streams are ${STREAMS.join(", ")}; without any, fetchers and mutations.`,
  examples: ["kvs-client watch", "kvs-client watch evictions connevents"],
  long: true,
  async run({ args, client, options, signal }) {
    for (const stream of args) {
      if (!STREAMS.includes(stream)) {
        throw new ExitError(
          `watch: STREAM takes one of ${STREAMS.join(", ")}, received '${stream}'`,
          Exit.usage,
        );
      }
    }
    const streams = args.length > 0 ? args : ["fetchers", "mutations"];
    const how = { ...client.connection, signal };
    for await (const line of watchServer(client.servers[0]!, how, streams)) {
      if (options.json) await print(JSON.stringify(fieldsOf(line)) + "\n");
      else {
        const { type = "" } = fieldsOf(line);
        const colour = COLOURS[type];
        const text = shown(line);
        await print((colour === undefined ? text : paint(colour, text)) + "\n");
      }
    }
    return Exit.ok;
  },
};

/** `ts=1.5 type=item_get key=a%20b` as an object. */
function fieldsOf(line: string): Record<string, string> {
  return Object.fromEntries(
    line.trim().split(" ").map((word) => {
      const equals = word.indexOf("=");
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}

/** What `monitor` watches: everything that happens to items, and who is there. */
const MONITORED = ["fetchers", "mutations", "deletions", "evictions", "connevents"];

/** Something that happened to an item. */
interface Event {
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly server: string;
  /** Who did it: an address, or the number of a connection; `-` where the server does not say. */
  readonly client: string;
  readonly command: string;
  readonly key: Uint8Array;
  readonly outcome: string;
  /** The length of the value in bytes. */
  readonly size: number;
}

export const monitor: Command = {
  takes: "[PATTERN]",
  arguments: [0, 1],
  options: ["count"],
  help: "print who does what to which key on all servers, or on keys that PATTERN fits, live",
  details: "It shows what the servers let others watch: reads, changes, deletions, evictions. " +
    "Where more happens than can be sent, it says how much was left out.",
  examples: ["kvs-client monitor", "kvs-client monitor 'user:*' --count 100"],
  long: true,
  async run({ args, client, options, signal }) {
    const fits = args[0] === undefined ? () => true : pattern(args[0]);
    const count = options.count ?? Infinity;
    const enough = new AbortController();
    const how = { ...client.connection, signal: AbortSignal.any([signal, enough.signal]) };
    const connections = await client.stats("conns");
    let printed = 0;
    const follow = async (server: string, index: number) => {
      const clients = addressesIn(connections.get(server));
      for await (const line of monitored(client.servers[index]!, server, how)) {
        const event = eventOf(line, server, clients);
        if (typeof event === "string") {
          await print(`${event}\n`);
          continue;
        }
        if (event === undefined || !fits(event.key) || printed === count) continue;
        const number = ++printed;
        await print(options.json ? json(event) : row(event, client.servers.length > 1));
        // Who prints the last one ends it: another server's may be on its way while this is printed.
        if (number === count) enough.abort();
      }
    };
    try {
      await Promise.all(client.addresses.map(follow));
    } catch (error) {
      if (error !== enough.signal.reason) throw error;
    } finally {
      // Of several servers one that fails ends them all.
      enough.abort();
    }
    return Exit.ok;
  },
};

/** The lines of a server's streams that {@linkcode MONITORED} names. An older memcached has no deletions. */
async function* monitored(
  address: Address,
  server: string,
  how: ConnectionOptions,
): AsyncGenerator<string, void, void> {
  try {
    return yield* watchServer(address, how, MONITORED);
  } catch (error) {
    if (!(error instanceof RequestError) || error.message !== "ERROR") throw error;
  }
  complain(`${server} does not show deletions`);
  yield* watchServer(address, how, MONITORED.filter((stream) => stream !== "deletions"));
}

/** The addresses of a server's clients by the numbers of their connections, out of `stats conns`. */
function addressesIn(stats: ReadonlyMap<string, string> | undefined): Map<string, string> {
  const addresses = new Map<string, string>();
  for (const [name, value] of stats ?? []) {
    const [, number] = /^(\d+):addr$/.exec(name) ?? [];
    if (number !== undefined) addresses.set(number, value.replace(/^tcp6?:/, ""));
  }
  return addresses;
}

/**
 * What a line tells: an event; a sentence where lines were left out; `undefined` where it is about
 * connections, which it notes in `clients`.
 */
function eventOf(
  line: string,
  server: string,
  clients: Map<string, string>,
): Event | string | undefined {
  if (line.startsWith("skipped=")) return `(${line.slice(8)} events were left out)`;
  const fields = fieldsOf(line);
  const { ts = "0.0", type, key, cfd, status } = fields;
  if (type === "conn_new") clients.set(cfd!, `${fields.rip}:${fields.rport}`);
  if (type === "conn_close") clients.delete(cfd!);
  if (key === undefined) return undefined;
  // memcached writes seconds and microseconds as two numbers with a point between.
  const [seconds, micros] = ts.split(".").map(Number);
  return {
    at: seconds! * 1000 + Math.floor(micros! / 1000),
    server,
    client: clients.get(cfd) ?? (cfd === undefined ? "-" : `#${cfd}`),
    command: fields.cmd ?? (type === "item_get" ? "get" : type!),
    key: keyOf(key),
    outcome: status ?? (type === "eviction" ? "evicted" : type!),
    size: Number(fields.size ?? 0),
  };
}

/** The bytes of a key whose special letters are `%XX`. */
function keyOf(text: string): Uint8Array {
  return bytesOfBinaryString(
    text.replace(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))),
  );
}

const OUTCOMES: Readonly<Record<string, Parameters<typeof paint>[0]>> = {
  found: "green",
  stored: "yellow",
  deleted: "magenta",
  evicted: "red",
};

function row({ at, server, client, command, key, outcome, size }: Event, several: boolean): string {
  const time = new Date(at).toISOString().slice(11, 23);
  const cells = [
    time,
    ...(several ? [server.padEnd(21)] : []),
    client.padEnd(21),
    command.padEnd(7),
    paint(OUTCOMES[outcome] ?? "dim", outcome.padEnd(9)),
    String(size).padStart(7),
    lineOf(key) ?? quoted(key),
  ];
  return `${cells.join(" ")}\n`;
}

function json({ at, key, ...rest }: Event): string {
  return `${JSON.stringify({ time: new Date(at).toISOString(), ...rest, ...keyField(key) })}\n`;
}
