/**
 * Manual pages, out of the same tables as `--help`.
 *
 * @module
 */

import type { Manual } from "./help.ts";
import type { Option } from "./option.ts";
import { environmentName, type Spec } from "./parse.ts";

/** What a page says that `--help` does not. */
export interface PageHead {
  /** `kvs-server`. */
  readonly program: string;
  readonly version: string;
  /** Half a sentence for the list of all pages. */
  readonly summary: string;
  readonly seeAlso: readonly string[];
}

/** The page of a program for section 1, in the macros of man(7). */
export function manPage(
  { program, version, summary, seeAlso }: PageHead,
  manual: Manual,
  spec: Spec,
): string {
  const lines = [
    `.TH ${program.toUpperCase()} 1 "" "kvs ${version}" "User Commands"`,
    ".SH NAME",
    `${program} \\- ${escaped(summary)}`,
    ".SH SYNOPSIS",
    `.B ${escaped(manual.usage)}`,
    ".SH DESCRIPTION",
    escaped(manual.about),
  ];
  if (manual.commands !== undefined) {
    lines.push(".SH COMMANDS");
    for (const [call, help] of manual.commands) {
      lines.push(".TP", `.B ${escaped(call)}`, escaped(sentence(help)));
    }
  }
  lines.push(".SH OPTIONS");
  const groups = manual.groups ?? [["", Object.keys(spec)] as const];
  for (const [title, names] of groups) {
    if (title !== "") lines.push(`.SS ${escaped(title)}`);
    for (const name of names) {
      const option = spec[name]!;
      if (option.ignored || option.refusal !== undefined) continue;
      lines.push(".TP", flagsLine(option), escaped(sentence(option.help)));
      if (option.shown !== undefined) lines.push(escaped(`The default is ${option.shown}.`));
      if (!option.lineOnly) lines.push(escaped(`Variable: ${environmentName(option)}.`));
    }
  }
  const named = (key: "ignored" | "refusal") =>
    Object.values(spec).filter((option) => option[key]).map(({ flags }) => flags).join("; ");
  if (named("ignored") !== "") {
    lines.push(".PP", escaped(`Accepted as memcached's own, and ignored: ${named("ignored")}.`));
  }
  if (named("refusal") !== "") {
    lines.push(".PP", escaped(`memcached's own, and refused: ${named("refusal")}.`));
  }
  if (manual.notes !== undefined) {
    lines.push(".SH NOTES", ".nf", ...manual.notes.trimEnd().split("\n").map(escaped), ".fi");
  }
  lines.push(".SH SEE ALSO", seeAlso.map((page) => `.BR ${page} (1)`).join(",\n"));
  return lines.join("\n") + "\n";
}

/** `.BR "\-p, \-\-port" " N"`. */
function flagsLine({ flags, value }: Option<unknown>): string {
  return value === undefined
    ? `.B ${escaped(flags)}`
    : `.BI "${escaped(flags)} " "${escaped(value)}"`;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/** A text as roff takes it: no line of it is a request, and a hyphen stays what it is. */
function escaped(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq")
    .replaceAll("…", "...");
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}
