/** The memcached that kvs is compared with. */

import { DebianPackage } from "../clients/debian.ts";

export const memcachedPackage = new DebianPackage("memcached", "/usr/bin/memcached");

/** A memcached with one thread at a Unix socket, ended when it is disposed of. */
export interface Memcached extends AsyncDisposable {
  readonly path: string;
}

/** Starts Debian's memcached with the options given. */
export function startMemcached(...options: string[]): Promise<Memcached> {
  return startMemcachedAt(memcachedPackage.file, ...options);
}

/** Starts the memcached that a file is. */
export async function startMemcachedAt(file: string, ...options: string[]): Promise<Memcached> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/socket`;
  // Only where it runs as root memcached wants a user, and then root may be it.
  const child = new Deno.Command(file, {
    args: ["-s", path, "-t", "1", "-u", "root", ...options],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await connectable(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function connectable(path: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      (await Deno.connect({ transport: "unix", path })).close();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
