/** The server: signals first, then options to a store, a store to commands, commands to listeners. */

import { Signals } from "./lib/server/signals.ts";

if (import.meta.main) {
  // The rest is loaded when the signals are heard: one that comes while it loads must not be lost.
  const signals = new Signals();
  const { run } = await import("./lib/cli/run.ts");
  const { main } = await import("./lib/server/main.ts");
  const { end } = await import("./lib/server/end.ts");
  await run("kvs-server", (args) => main(args, signals), (code) => end(code, signals));
}
