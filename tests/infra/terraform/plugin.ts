/**
 * A stand-in for a provider of Terraform's: its plugin protocol 5, over a file with the schemas of the
 * resources. What is made has the values that it is given, and made-up ones where Google would give them.
 *
 *     deno run -A plugin.ts SCHEMAS LOG
 *
 * LOG gets a line of JSON for the begin and end of each change. A file LOG.fails names the changes that fail.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer, type Http2Stream, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { fields, Message } from "./message.ts";
import { pack, UNKNOWN, unpack, type Value } from "./msgpack.ts";
import type { Block, Type } from "./types.ts";

type Values = Record<string, Value>;

const [schemaFile, logFile] = Deno.args;
const schemas: Record<string, Block> = JSON.parse(Deno.readTextFileSync(schemaFile));

/** What cannot be changed in what is there: a new one takes its place. */
const REPLACED: Record<string, string[]> = {
  google_compute_instance_group_manager: ["name", "zone", "base_instance_name"],
  google_compute_instance_template: ["name", "name_prefix", "metadata", "machine_type"],
  google_secret_manager_secret_version: ["secret_data"],
  google_storage_bucket_object: ["name", "bucket"],
};

const NESTING = { single: 1, list: 2, set: 3 };

function blockMessage({ attributes, blocks }: Block): Message {
  const message = new Message();
  for (const [name, { type, computed, optional, required }] of Object.entries(attributes)) {
    message.bytes(
      2,
      new Message().bytes(1, name).bytes(2, JSON.stringify(type)).number(4, required)
        .number(5, !required && (optional || !computed)).number(6, !required && computed),
    );
  }
  for (const [name, { block, nesting, required, once }] of Object.entries(blocks)) {
    message.bytes(
      3,
      new Message().bytes(1, name).bytes(2, blockMessage(block)).number(3, NESTING[nesting])
        .number(4, required).number(5, once),
    );
  }
  return message;
}

/** The values of a block as they are planned: what is to be told by Google stays, or is not known yet. */
function planned(block: Block, proposed: Values, prior: Values | null): Values {
  const values: Values = {};
  for (const [name, { computed }] of Object.entries(block.attributes)) {
    values[name] = proposed[name] ?? (computed ? prior?.[name] ?? UNKNOWN : null);
  }
  for (const [name, { block: inner, nesting }] of Object.entries(block.blocks)) {
    const before = prior?.[name] ?? null;
    const value = proposed[name] ?? null;
    values[name] = Array.isArray(value)
      ? value.map((one, i) =>
        isObject(one) ? planned(inner, one, (before as Values[] | null)?.[i] ?? null) : one
      )
      : isObject(value)
      ? planned(inner, value, before as Values | null)
      : value ?? (nesting === "single" ? null : []);
  }
  return values;
}

const isObject = (value: Value): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The values of a block as they are after the apply. */
function made(block: Block, values: Values, hint: string): Values {
  const result: Values = {};
  for (const [name, { type }] of Object.entries(block.attributes)) {
    const value = values[name] ?? null;
    result[name] = value === UNKNOWN ? madeUp(type, `${hint}/${name}`) : value;
  }
  for (const [name, { block: inner }] of Object.entries(block.blocks)) {
    const value = values[name] ?? null;
    result[name] = Array.isArray(value)
      ? value.map((one) => made(inner, one as Values, `${hint}/${name}`))
      : isObject(value)
      ? made(inner, value, `${hint}/${name}`)
      : value;
  }
  return result;
}

function madeUp(type: Type, hint: string): Value {
  if (type === "string") return hint;
  if (type === "number") return 6379;
  if (type === "bool") return false;
  if (type[0] === "map") return {};
  if (type[0] !== "object") return [madeUp(type[1], hint)];
  return Object.fromEntries(
    Object.entries(type[1]).map(([name, inner]) => [name, madeUp(inner, `${hint}/${name}`)]),
  );
}

const dynamic = (value: Value) => new Message().bytes(1, pack(value));

function valueOf(bytes: Uint8Array | undefined): Value {
  const packed = bytes && fields(bytes).get(1);
  return packed === undefined ? null : unpack(packed);
}

const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function log(line: unknown): void {
  Deno.writeTextFileSync(logFile, `${JSON.stringify(line)}\n`, { append: true });
}

function fails(change: string): boolean {
  try {
    return Deno.readTextFileSync(`${logFile}.fails`).split("\n").includes(change);
  } catch {
    return false;
  }
}

const METHODS: Record<string, (request: Map<number, Uint8Array>) => Message> = {
  GetSchema() {
    const text = { type: "string", computed: false, optional: true, required: false } as const;
    const own = { attributes: { project: text, region: text, zone: text }, blocks: {} };
    const message = new Message().bytes(1, new Message().bytes(2, blockMessage(own)));
    for (const [type, block] of Object.entries(schemas)) {
      const schema = new Message().bytes(2, blockMessage(block));
      message.bytes(2, new Message().bytes(1, type).bytes(2, schema));
    }
    return message;
  },
  PrepareProviderConfig: (request) => new Message().bytes(1, request.get(1)!),
  ValidateResourceTypeConfig: () => new Message(),
  Configure: () => new Message(),
  UpgradeResourceState: (request) =>
    new Message().bytes(1, dynamic(JSON.parse(textOf(fields(request.get(3)!).get(1))))),
  ReadResource: (request) => new Message().bytes(1, request.get(2)!),

  PlanResourceChange(request) {
    const type = textOf(request.get(1));
    const prior = valueOf(request.get(2)) as Values | null;
    const proposed = valueOf(request.get(3)) as Values | null;
    if (proposed === null) return new Message().bytes(1, dynamic(null)).number(5, true);
    const values = planned(schemas[type], proposed, prior);
    const message = new Message().bytes(1, dynamic(values));
    for (const name of prior === null ? [] : REPLACED[type] ?? []) {
      if (JSON.stringify(values[name]) === JSON.stringify(prior![name])) continue;
      message.bytes(2, new Message().bytes(1, new Message().bytes(1, name)));
    }
    return message.number(5, true);
  },

  ApplyResourceChange(request) {
    const type = textOf(request.get(1));
    const prior = valueOf(request.get(2)) as Values | null;
    const values = valueOf(request.get(3)) as Values | null;
    const what = prior === null ? "create" : values === null ? "delete" : "update";
    const { name: known } = (values ?? prior)!;
    const name = typeof known === "string" ? known : "";
    const change = `${what} ${type} ${name}`.trim();
    log({ begin: change });
    if (fails(change)) {
      const failure = new Message().number(1, 1).bytes(2, `${change} fails`);
      return new Message().bytes(1, dynamic(prior)).bytes(3, failure);
    }
    const hint = `${type}:${name}:${crypto.randomUUID().slice(0, 8)}`;
    const result = values && made(schemas[type], values, hint);
    log({ end: change, values: result });
    return new Message().bytes(1, dynamic(result)).number(4, true);
  },
  Stop: () => new Message(),
};

function answer(client: Http2Stream, path: string, body: Uint8Array): void {
  const stream = client as ServerHttp2Stream;
  const method = METHODS[path.replace("/tfplugin5.Provider/", "")];
  const ends = path === "/plugin.GRPCController/Shutdown";
  const known = method !== undefined || ends;
  let status = known ? "0" : "12";
  let reply = new Uint8Array();
  try {
    if (method !== undefined) reply = method(fields(body)).finish();
  } catch (error) {
    console.error(path, error);
    status = "13";
  }
  stream.respond(
    { ":status": 200, "content-type": "application/grpc" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(1, reply.length);
  if (status === "0") stream.write(head);
  stream.end(reply);
  if (ends) stream.on("close", () => Deno.exit(0));
}

const server = createServer();
server.on("stream", (stream, headers) => {
  const path = headers[":path"]!;
  // Terraform's own streams beside the calls, which may stay open.
  if (path.startsWith("/plugin.GRPCBroker/") || path.startsWith("/plugin.GRPCStdio/")) {
    return answer(stream, path, new Uint8Array());
  }
  const parts: Uint8Array[] = [];
  stream.on("data", (part: Uint8Array) => parts.push(part));
  stream.on("end", () => answer(stream, path, Buffer.concat(parts).subarray(5)));
});
server.listen(0, "127.0.0.1", () => {
  console.log(`1|5|tcp|127.0.0.1:${(server.address() as AddressInfo).port}|grpc|`);
});
