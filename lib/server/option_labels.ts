/**
 * The options in force as labels of a figure: `kvs_option_info{option="fsync",value="everysec"} 1`.
 *
 * @module
 */

import { redacted } from "../redact.ts";
import type { Option } from "../cli/option.ts";
import type { Part } from "../observe/figures/row.ts";
import type { Configuration } from "./configuration.ts";
import { isOptionOf } from "./option_groups.ts";
import { serverOptions } from "./options.ts";

/** Characters of a value that are shown. */
const LONGEST = 200;

/** A part an option that has a value; secrets are left out. */
export function optionParts(configuration: Configuration): Part[] {
  const values = configuration as unknown as Readonly<Record<string, unknown>>;
  const parts: Part[] = [];
  for (const [name, spec] of Object.entries(serverOptions)) {
    const option: Option<unknown> = spec;
    if (option.ignored || option.lineOnly || option.refusal !== undefined) continue;
    if (!isOptionOf(configuration.store, name)) continue;
    const of = values[name] ?? undefined;
    const value = of === undefined ? undefined : option.write?.(of) ?? textOf(of);
    if (value === undefined || value === "") continue;
    const text = option.secret ? "…" : value.slice(0, LONGEST);
    parts.push([{ option: option.flags.split(", ").at(-1)!.replace(/^-+/, ""), value: text }, 1]);
  }
  return parts;
}

/** A value as the command line has it, about; `undefined` for one that is of many parts, such as -o. */
function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.map((part) => redacted(String(part))).join(",");
  if (typeof value !== "object") return redacted(String(value));
  const { host, port } = value as { host?: string; port?: number };
  return port === undefined ? undefined : `${host}:${port}`;
}
