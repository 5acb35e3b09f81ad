import { assertEquals } from "@std/assert";
import { trackedFiles } from "./tracked_files.ts";

/** The places that end the process: they run on the main thread of a program, which alone imports them. */
const PROGRAMS = ["lib/cli/run.ts", "lib/server/end.ts"];
/** In a worker these end that worker alone, and nobody is told. */
const ENDS = /\b(Deno\.exit|process\.exit|(self|globalThis|thread)\.close)\s*\(/;

Deno.test("nothing that a worker may run ends a thread in silence", async () => {
  const found: string[] = [];
  for (const path of await trackedFiles()) {
    if (!/^lib\/.*\.ts$/.test(path) || PROGRAMS.includes(path)) continue;
    if (ENDS.test(await Deno.readTextFile(path))) found.push(path);
  }
  assertEquals(found, []);
});
