/**
 * The options in force, for a person who wonders.
 *
 * @module
 */

import type { Option } from "./option.ts";
import type { Spec } from "./parse.ts";
import { redacted } from "../redact.ts";

/**
 * A line an option: its long name, its value as JSON, and where that is from. Passwords in URLs and
 * secret options are left out.
 */
export function configText(
  spec: Spec,
  values: Readonly<Record<string, unknown>>,
  origins: ReadonlyMap<string, string>,
): string {
  const rows = Object.entries(spec)
    .filter(([, { ignored, refusal }]) => !ignored && refusal === undefined)
    .filter(([name]) => !["help", "version", "license"].includes(name))
    .map(([name, { flags, secret, write }]) =>
      [
        flags.split(", ").at(-1)!.replace(/^-+/, ""),
        secret && values[name] !== undefined ? '"…"' : valueText(values[name], write),
        origins.get(name)!,
      ] as const
    );
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const [names, texts] = [width(0), Math.min(40, width(1))];
  return rows.map(([name, value, origin]) =>
    `${name.padEnd(names)}  ${value.padEnd(texts)}  ${origin}`
  ).join("\n");
}

function valueText(value: unknown, write: Option<unknown>["write"]): string {
  if (value === undefined || value === null) return "(none)";
  if (write !== undefined) return write(value);
  return redacted(JSON.stringify(value));
}
