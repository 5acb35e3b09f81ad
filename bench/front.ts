/**
 * The front of every bench: options in, a table or JSON out, and over it what it was measured on.
 *
 * @module
 */

import { helpText, type Manual } from "../lib/cli/help.ts";
import { duration, flag, integer } from "../lib/cli/option.ts";
import { parseOptions, type Spec, type Values } from "../lib/cli/parse.ts";
import { run } from "../lib/cli/run.ts";
import { Exit } from "../lib/errors.ts";
import { describeMachine, machineText } from "./machine.ts";

const frontOptions = {
  json: flag({ flags: "--json", help: "print JSON" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

/** The options of a bench that puts load on servers in turn. */
export const loadOptions = {
  valueSize: integer({ flags: "--value-size", min: 1, default: 100, help: "bytes of a value" }),
  keys: integer({ flags: "--keys", min: 1, default: 10_000, help: "how many different keys" }),
  seconds: duration({ flags: "--seconds", min: 100, default: 1000, help: "of one measurement" }),
  rounds: integer({
    flags: "--rounds",
    min: 1,
    default: 3,
    help: "measurements of each server, in turn with the others; the median is shown",
  }),
};

/** A bench. */
export interface Bench<S extends Spec, Row> {
  readonly manual: Manual;
  readonly options: S;
  /** Programs beside kvs whose versions count, with the commands that tell them. */
  readonly programs: Readonly<Record<string, readonly [string, ...string[]]>>;
  measure(options: Values<S>): Promise<readonly Row[]>;
  text(rows: readonly Row[], options: Values<S>): string;
}

/** Runs a bench from the command line, and ends the process. */
export async function runBench<const S extends Spec, Row>(bench: Bench<S, Row>): Promise<never> {
  const { manual, options: own, programs } = bench;
  return await run("bench", async (args) => {
    const spec = { ...own, ...frontOptions };
    const options = parseOptions(spec, args).options as Values<S> & Values<typeof frontOptions>;
    if (options.help) {
      console.log(helpText(manual, spec).trimEnd());
      return Exit.ok;
    }
    const machine = await describeMachine(programs);
    const rows = await bench.measure(options);
    console.log(
      options.json
        ? JSON.stringify({ machine, options, rows }, null, 2)
        : `${machineText(machine)}\n\n${bench.text(rows, options)}`,
    );
    return Exit.ok;
  });
}
