import { connectable } from "./port.ts";

/** Why the tests against memcached itself are skipped, or false where it is installed. */
export const memcachedMissing: boolean = await new Deno.Command("memcached", { args: ["-V"] })
  .output().then(({ success }) => !success, () => true);

/** A memcached of the machine's own, ended when it is disposed of. */
export interface Memcached extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
}

/** Starts memcached on a free port, or with the arguments given (`-s path`) elsewhere. */
export async function startMemcached(...args: string[]): Promise<Memcached> {
  const port = freePort();
  const child = new Deno.Command("memcached", {
    args: ["-u", "nobody", "-l", "127.0.0.1", "-p", String(port), "-t", "1", "-m", "32", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await connectable(port);
  return {
    address: `127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
