/**
 * A directory in which memcached's tests run: its source, unpacked, with kvs where its tests look for
 * the programs that `make` would have built.
 *
 * @module
 */

import type { StoreName } from "./page.ts";

/** Where memcached's tests can run. */
export interface Build {
  /** The root of memcached's source. */
  readonly directory: string;
  /** The environment that a test file needs to find `store`, served by this machine's Deno. */
  environment(store: StoreName, data: string, file: string): Record<string, string>;
  /** The names of the test files, sorted. */
  readonly files: readonly string[];
}

/** What of the caller's environment would change a server or switch tests on. */
const FOREIGN = /^(KVS_|T_MEMD_|MEMCACHED_|SUITE_|(SSL_TEST|RUN_SASL_TESTS|VALGRIND_TEST)$)/;

/**
 * Puts kvs in place of memcached.
 *
 * @param directory the root of memcached's source, which is written to.
 * @param server the root of the checkout of kvs to test.
 * @param threads the `-t` of servers whose test does not say it.
 */
export async function prepare(directory: string, server: string, threads = 1): Promise<Build> {
  for (
    const [name, script] of [
      ["memcached-debug", "memcached-debug.sh"],
      ["memcached", "memcached-debug.sh"],
      ["timedrun", "timedrun.sh"],
    ] as const
  ) {
    await Deno.remove(`${directory}/${name}`).catch(() => {});
    await Deno.writeTextFile(
      `${directory}/${name}`,
      await Deno.readTextFile(new URL(script, import.meta.url)),
    );
    await Deno.chmod(`${directory}/${name}`, 0o755);
  }
  const files = Array.from(Deno.readDirSync(`${directory}/t`), ({ name }) => name)
    .filter((name) => name.endsWith(".t") && !name.startsWith(".")).sort();
  const permissions = await permissionsOf(server);
  const own = Object.entries(Deno.env.toObject()).filter(([name]) => !FOREIGN.test(name));
  return {
    directory,
    files,
    environment: (store, data, file) => ({
      ...Object.fromEntries(own),
      ...switchesOf(file, data),
      LC_ALL: "C",
      DENO_NO_UPDATE_CHECK: "1",
      // What debugtime is in memcached's debug build, which its tests are for.
      KVS_TEST_CLOCK: "1",
      SUITE_DENO: Deno.execPath(),
      SUITE_SERVER: server,
      SUITE_PERMISSIONS: permissions,
      SUITE_STORE: store,
      ...threads > 1 ? { SUITE_THREADS: `${threads}` } : {},
      SUITE_DATA: data,
    }),
  };
}

/** What switches a test file on that skips itself otherwise. */
function switchesOf(file: string, data: string): Record<string, string> {
  if (file.startsWith("ssl_")) return { SSL_TEST: "1" };
  if (file !== "binary-sasl.t") return {};
  // What the file puts in Cyrus SASL's database, with saslpasswd2: kvs has its users in a file.
  const users = `${data}.users`;
  Deno.writeTextFileSync(users, "testuser@memcached.realm:testpass\n", { mode: 0o600 });
  return { RUN_SASL_TESTS: "1", MEMCACHED_SASL_PWDB: users };
}

/**
 * Gets what a checkout's server imports, which a test would otherwise wait for at its first start.
 *
 * @throws {Error} with what Deno says, where that fails.
 */
export async function cacheImports(server: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--config", `${server}/deno.json`, `${server}/server.ts`],
    stdin: "null",
  }).output();
  if (!success) {
    throw new Error(
      `Cannot get what '${server}/server.ts' imports: ${new TextDecoder().decode(stderr).trim()}`,
    );
  }
}

/** What the checkout's own task allows its server to do. */
async function permissionsOf(server: string): Promise<string> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${server}/deno.json`));
  return tasks.start.command.match(/--(quiet|no-prompt|allow-\S+|unstable-\S+)/g).join(" ");
}

/** Unpacks a tarball into `directory`, without the folder around it. */
export async function unpack(tarball: string, directory: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("tar", {
    args: ["--extract", "--file", tarball, "--directory", directory, "--strip-components=1"],
  }).output();
  if (!success) {
    throw new Error(`Cannot unpack '${tarball}': ${new TextDecoder().decode(stderr).trim()}`);
  }
}
