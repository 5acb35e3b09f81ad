/** Gets the clients that are not in this machine's Debian suite, for the tests: `deno run -A tests/clients/fetch.ts`. */

import { get, type Wanted } from "../debian_archive.ts";

/** The last Dalli that speaks binary, and the first that speaks meta. */
export const DALLI_3_2: Wanted = { kind: "package", name: "ruby-dalli", suite: "trixie" };
/** Dalli 5 speaks meta alone. */
export const DALLI_5: Wanted = { kind: "package", name: "ruby-dalli", suite: "sid" };
/** Django with its tests, of the version that python3-django is in bookworm. */
export const DJANGO: Wanted = { kind: "source", name: "python-django", suite: "bookworm" };

if (import.meta.main) await get([DALLI_3_2, DALLI_5, DJANGO], console.error);
