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
 * All threads of a process have the same permissions: what this one gives up no other has any more.
 *
 * Stores that are reached over the network keep both, and so do copies in a bucket: they connect again,
 * and their packages read the environment when they do.
 */
export async function dropPermissions(
  { store, tls, copyTo, copyHead }: Pick<Configuration, "store" | "tls" | "copyTo" | "copyHead">,
  speaksTo: { readonly collector: boolean; readonly machine: boolean },
): Promise<void> {
  if (store !== "disk" && store !== "memory" || speaksTo.collector) return;
  if ([copyTo, copyHead].some((url) => url?.startsWith("gs:"))) return;
  await Deno.permissions.revoke({ name: "env" });
  // The disk store asks how much room is left, which is of this kind.
  if (store === "memory") await Deno.permissions.revoke({ name: "sys" });
  if (tls === undefined && !speaksTo.machine) await Deno.permissions.revoke({ name: "net" });
}
