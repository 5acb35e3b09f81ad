/** A server whose threads can be made to end: `ending_server.ts WAY FILE [options]`. */

import { run } from "../../../lib/cli/run.ts";
import { parseOptions } from "../../../lib/cli/parse.ts";
import { configure } from "../../../lib/server/configuration.ts";
import { serverOptions } from "../../../lib/server/options.ts";
import { serve } from "../../../lib/server/serve.ts";
import { Signals } from "../../../lib/server/signals.ts";

const [way, file, ...args] = Deno.args;
const worker = new URL("./ending_worker.ts", import.meta.url);
worker.searchParams.set("way", way!);
worker.searchParams.set("file", file!);
const configuration = configure(parseOptions(serverOptions, args).options);
await run("kvs-server", () => serve(configuration, [], [], new Signals(), worker));
