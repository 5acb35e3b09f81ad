/**
 * What the process gives up once it serves: a bug, or a package that turns bad, then reaches less.
 *
 * @module
 */

import type { Configuration } from "../configuration.ts";

/**
 * Gives up the network and the environment where neither is needed any more. Listeners that are open stay;
 * those on TLS are opened again for new certificates.
 *
 * A thread keeps what it had when it was started: so the one that copies has both.
 *
 * Stores that are reached over the network keep both: they connect again, and their packages read the
 * environment when they do.
 */
export async function dropPermissions(
  { store, tls }: Pick<Configuration, "store" | "tls">,
  speaksTo: { readonly collector: boolean; readonly machine: boolean },
): Promise<void> {
  if (store !== "disk" && store !== "memory" || speaksTo.collector) return;
  await Deno.permissions.revoke({ name: "env" });
  // The disk store asks how much room is left, which is of this kind.
  if (store === "memory") await Deno.permissions.revoke({ name: "sys" });
  if (tls === undefined && !speaksTo.machine) await Deno.permissions.revoke({ name: "net" });
}
