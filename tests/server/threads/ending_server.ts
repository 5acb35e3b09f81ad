/** A server whose threads can be made to end, or to stand still: `ending_server.ts WAY FILE [options]`. */

import { run } from "../../../lib/cli/run.ts";
import { parseOptions } from "../../../lib/cli/parse.ts";
import { configure } from "../../../lib/server/configuration.ts";
import { serverOptions } from "../../../lib/server/options.ts";
import { serve } from "../../../lib/server/serve.ts";
import { Signals } from "../../../lib/server/signals.ts";

const [way, file, ...args] = Deno.args;
const module = new URL("./ending_worker.ts", import.meta.url);
module.searchParams.set("way", way!);
module.searchParams.set("file", file!);
/** One that loops is soon given up, one that stands still never. */
const patience = { late: 2, lost: way === "loop" ? 8 : Infinity };
const configuration = configure(parseOptions(serverOptions, args).options);
await run("kvs-server", () => serve(configuration, [], [], new Signals(), { module, patience }));
