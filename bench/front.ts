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

const jsonOption = { json: flag({ flags: "--json", help: "print JSON" }) };
const helpOption = {
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
export async function runBench<const S extends Spec, Row>(bench: Bench<S, Row>): Promise<void> {
  const { manual, programs } = bench;
  const spec = { ...bench.options, ...jsonOption };
  return await runProgram("bench", manual, spec, async (given) => {
    const options = given as Values<S> & Values<typeof jsonOption>;
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

/** Runs what takes options and no words, and ends the process with the exit code that it returns. */
export async function runProgram<const S extends Spec>(
  name: string,
  manual: Manual,
  own: S,
  main: (options: Values<S>) => Promise<number>,
): Promise<void> {
  return await run(name, async (args) => {
    const spec = { ...own, ...helpOption };
    const options = parseOptions(spec, args).options as Values<S> & Values<typeof helpOption>;
    if (!options.help) return await main(options);
    console.log(helpText(manual, spec).trimEnd());
    return Exit.ok;
  });
}
