/**
 * The Cloud Storage emulator of the tests in a process of its own, as strict as the service about
 * writes to one object: one a second.
 *
 *     deno run -A bench/gcs_emulator.ts PORT
 *
 * @module
 */

import { Emulator } from "../tests/storage/gcs/emulator/mod.ts";

await Emulator.start({ port: Number(Deno.args[0]), buckets: ["kvs"], mutationInterval: 1000 });
