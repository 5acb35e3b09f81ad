/**
 * `report`: what somebody needs who helps with servers, in one tar.
 *
 * @module
 */

import { writeBundle } from "../../cli/bundle.ts";
import { Exit, messageOf } from "../../errors.ts";
import { MEMCACHED_VERSION, VERSION } from "../../version.ts";
import type { Client } from "../client.ts";
import { RequestError, ServerError } from "../errors.ts";
import type { Command } from "./command.ts";
import { rowsOf } from "./each_server.ts";

/** The groups of `stats` that have no keys; what a server does not know of them is said. */
const GROUPS = [
  undefined,
  "settings",
  "items",
  "slabs",
  "limits",
  "traffic",
  "process",
  "threads",
  "conns",
  "events",
  "disk",
  "redis",
  "gcs",
  "memory",
] as const;
const ABOUT = `What is here was gathered by 'kvs-client report' for somebody who helps with servers.

SERVER/version.txt   what the server calls itself
SERVER/stats.txt     its counts; and by their names the groups of stats: settings, items, slabs, limits, traffic,
                     process, threads
SERVER/conns.txt     its connections, with the addresses of clients
SERVER/events.txt    the last 100 lines of its log
SERVER/disk.txt      what its store tells of itself (or redis.txt, gcs.txt, memory.txt)
SERVER/missing.txt   what it did not answer

There are no keys, no values and no passwords. 'kvs-server report' on the server's own machine adds its options and
its data directory.
`;

/** Asks every server and writes a tar. */
export const report: Command = {
  takes: "[FILE]",
  arguments: [0, 1],
  options: [],
  help: "write what somebody needs who helps with the servers into one tar: counts, log, limits",
  details: "There are no keys, values or passwords in it. Read it before you send it.",
  examples: ["kvs-client report", "kvs-client -s a:11211,b:11211 report kvs.tar"],
  async run({ args, client }) {
    const { protocol = "text" } = client.connection;
    const files = new Map([
      ["README.txt", ABOUT],
      [
        "client.txt",
        `kvs-client ${VERSION} (memcached ${MEMCACHED_VERSION}), protocol ${protocol}\n`,
      ],
    ]);
    let code: number = Exit.ok;
    for await (const row of rowsOf(client, answersOf)) {
      const folder = row.server.replaceAll(/[^\w.-]+/g, "_");
      if ("answer" in row) {
        for (const [name, text] of row.answer) files.set(`${folder}/${name}`, text);
      } else {
        files.set(`${folder}/missing.txt`, `${row.error}\n`);
        code = row.code;
      }
    }
    await writeBundle(args[0], files);
    return code;
  },
};

/** Files of one server, by name. */
async function answersOf(server: Client): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const missing: string[] = [];
  for (const version of (await server.version()).values()) {
    files.set("version.txt", `${version}\n`);
  }
  for (const group of GROUPS) {
    try {
      for (const figures of (await server.stats(group)).values()) {
        files.set(
          `${group ?? "stats"}.txt`,
          [...figures].map(([name, value]) => `${name} ${value}\n`).join(""),
        );
      }
    } catch (error) {
      if (!(error instanceof ServerError || error instanceof RequestError)) throw error;
      missing.push(`stats ${group ?? ""}: ${messageOf(error)}\n`);
    }
  }
  if (missing.length > 0) files.set("missing.txt", missing.join(""));
  return files;
}
