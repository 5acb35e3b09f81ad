/**
 * The text of `--help`, out of the same list that the options are read by.
 *
 * @module
 */

import type { Option } from "./option.ts";
import { environmentName, type Spec } from "./parse.ts";
import { columns } from "./terminal.ts";

/** What a program's `--help` says besides its options. */
export interface Manual {
  /** A line before everything else. */
  readonly title?: string;
  /** How it is called: `"kvs-server [options]"`. */
  readonly usage: string;
  /** What it is, in a sentence or a few. */
  readonly about: string;
  /** Its commands, each as it is written and what it does. */
  readonly commands?: readonly (readonly [call: string, help: string])[];
  /** Its options in groups, by the names its code uses; without them they are one. */
  readonly groups?: readonly (readonly [title: string, names: readonly string[]])[];
  /** What is worth knowing at the end: examples, exit codes. */
  readonly notes?: string;
}

/** The widest line. */
const WIDTH = 100;
/** The narrowest terminal that lines are broken for. */
const LEAST_WIDTH = 60;
const INDENT = 30;

/**
 * The help text of a program, at most 100 columns wide and no wider than the terminal, ending in a line end.
 *
 * Options that are ignored are named in one line, those that are refused in another; of the others each shows its value, what it
 * does, its environment variable and its default.
 */
export function helpText(manual: Manual, spec: Spec): string {
  const parts = [`Usage: ${manual.usage}`, wrap(manual.about, 0)];
  if (manual.title !== undefined) parts.unshift(manual.title);
  if (manual.commands !== undefined) {
    parts.push(["Commands:", ...manual.commands.map(([call, help]) => row(call, help))].join("\n"));
  }
  const options = Object.values(spec);
  const isWorking = ({ ignored, refusal }: Option<unknown>) => !ignored && refusal === undefined;
  const groups = manual.groups ?? [["Options", Object.keys(spec)] as const];
  for (const [title, names] of groups) {
    const working = names.map((name) => spec[name]!).filter(isWorking);
    parts.push([`${title}:`, ...working.map(optionRow)].join("\n"));
  }
  const ignored = options.filter((option) => option.ignored).map((option) => option.flags);
  if (ignored.length > 0) {
    parts.push(wrap(`Accepted as memcached's own, and ignored: ${ignored.join("; ")}`, 0));
  }
  const refused = options.filter(({ refusal }) => refusal !== undefined);
  if (refused.length > 0) {
    parts.push(
      wrap(`memcached's own, and refused: ${refused.map(({ flags }) => flags).join("; ")}`, 0),
    );
  }
  if (manual.notes !== undefined) parts.push(manual.notes.trimEnd());
  return parts.join("\n\n") + "\n";
}

/** What `help` says of one topic. */
export interface Topic {
  readonly usage: string;
  readonly about: string;
  readonly options: readonly Option<unknown>[];
  /** Command lines, as they are typed. */
  readonly examples?: readonly string[];
  readonly notes?: string;
}

/** The help text of one command, at most 100 columns wide and no wider than the terminal, ending in a line end. */
export function topicText({ usage, about, options, examples, notes }: Topic): string {
  const parts = [`Usage: ${usage}`, wrap(about, 0)];
  if (options.length > 0) parts.push(["Options:", ...options.map(optionRow)].join("\n"));
  if (examples !== undefined) {
    parts.push(["Examples:", ...examples.map((line) => `  ${line}`)].join("\n"));
  }
  if (notes !== undefined) parts.push(notes);
  return parts.join("\n\n") + "\n";
}

function optionRow(option: Option<unknown>): string {
  const flags = option.flags.startsWith("--") ? `    ${option.flags}` : option.flags;
  const origins = [
    ...(option.lineOnly ? [] : [environmentName(option)]),
    ...(option.shown === undefined ? [] : [`default ${option.shown}`]),
  ];
  return row(
    option.value === undefined ? flags : `${flags} ${option.value}`,
    option.help + (origins.length === 0 ? "" : ` [${origins.join(", ")}]`),
  );
}

function row(left: string, right: string): string {
  const start = `  ${left}`;
  const body = wrap(right, INDENT);
  return start.length < INDENT - 1
    ? start.padEnd(INDENT) + body
    : `${start}\n${" ".repeat(INDENT)}${body}`;
}

/** Breaks a text into lines of the help's width; every line but the first is indented. */
function wrap(text: string, indent: number): string {
  const width = Math.min(WIDTH, Math.max(LEAST_WIDTH, columns()));
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && indent + line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}
