import { PROTOCOLS } from "../../lib/protocol/client_dialect.ts";
import { connectable } from "./connectable.ts";
import { freePort } from "../ports.ts";

/** Why the tests against memcached itself are skipped, or false where it is installed. */
export const memcachedMissing: boolean = await new Deno.Command("memcached", { args: ["-V"] })
  .output().then(({ success }) => !success, () => true);

/** A server on a port of its own, ended when it is disposed of. */
export interface RunningServer extends AsyncDisposable {
  readonly address: string;
}

/** Starts the machine's memcached on a free port, with more arguments where given. */
export function startMemcached(...args: string[]): Promise<RunningServer> {
  return startMemcachedIn({}, ...args);
}

/** Like {@linkcode startMemcached}, with an environment of its own. */
export function startMemcachedIn(
  env: Record<string, string>,
  ...args: string[]
): Promise<RunningServer> {
  return start("memcached", (port) => {
    return ["-u", "nobody", "-l", "127.0.0.1", "-p", port, "-t", "1", "-m", "32", ...args];
  }, env);
}

/** Starts kvs on a free port, with its items in memory, and with more arguments where given. */
export function startKvs(...args: string[]): Promise<RunningServer> {
  const server = new URL("../../server.ts", import.meta.url).pathname;
  return start(Deno.execPath(), (port) => {
    return ["run", "-A", "--no-check", server, "--store", "memory", "-p", port, ...args];
  });
}

/** The servers that the client's commands are tried on. */
export const servers = [
  { name: "memcached", ignore: memcachedMissing, start: startMemcached },
  { name: "kvs", ignore: false, start: startKvs },
];

/** Each server with each dialect, for what must be the same over all of them. */
export const dialects = PROTOCOLS.flatMap((protocol) => [
  {
    name: `${protocol}, memcached${memcachedMissing ? ", skipped: it is not installed" : ""}`,
    protocol,
    ignore: memcachedMissing,
    /** memcached 1.6.18 takes no more than 250 letters of base64. In bytes. */
    longestKey: protocol === "binary" ? 250 : 186,
    start: () => startMemcached(),
  },
  { name: `${protocol}, kvs`, protocol, ignore: false, longestKey: 250, start: () => startKvs() },
]);

async function start(
  command: string,
  args: (port: string) => string[],
  env: Record<string, string> = {},
): Promise<RunningServer> {
  const port = freePort();
  const child = new Deno.Command(command, {
    args: args(String(port)),
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await connectable(port);
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
