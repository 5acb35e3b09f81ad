/**
 * Figures of continuous copies, where there are any.
 *
 * @module
 */

import type { Family, Row, Source, Unit } from "./row.ts";

/** How copies stand: there are none, another server is waited for, all is well, and what is not. */
export const copyStates = ["off", "waiting", "copying", "behind", "failing", "fenced"] as const;

/** One of {@linkcode copyStates}. */
export type CopyState = typeof copyStates[number];

/** What a server tells of its copies. */
export interface CopyFigures {
  readonly state: CopyState;
  /** Why, in a sentence; empty where all is well. */
  readonly reason: string;
  /** The age of the oldest change that may be in no copy, in seconds; 0 where all are. */
  readonly lag: number;
  /** When copies were up to date last, in seconds since 1970; 0 for never. */
  readonly lastSuccess: number;
  readonly errors: number;
  readonly sentBytes: number;
  readonly sentObjects: number;
  readonly heldBytes: number;
  readonly removed: number;
  readonly kept: number;
  readonly moments: number;
  readonly epoch: number;
}

/** What is not well with copies, in words for a line; empty where all is well, or there are none. */
export function copyWarning(figures: CopyFigures | undefined): string {
  if (figures === undefined || figures.state === "copying" || figures.state === "off") return "";
  return `copies ${figures.state}${figures.reason === "" ? "" : `: ${figures.reason}`}`;
}

function row(
  stat: string,
  of: (figures: CopyFigures) => number,
  meaning: string,
  rest: { readonly type?: Family["type"]; readonly unit?: Unit; readonly name?: string } = {},
): Row {
  const { type = "gauge", unit = "", name = stat } = rest;
  return {
    stat,
    read: ({ copies }: Source) => copies && of(copies),
    series: { family: { name: `kvs_${name}`, type, help: meaning } },
    unit,
    across: "same",
    meaning,
  };
}

const stateFamily: Family = {
  name: "kvs_copy_state",
  type: "gauge",
  help: "1 for the state that copies are in.",
};

/** The rows; none of them without `--copy-to`. */
export const copyRows: readonly Row[] = [
  {
    stat: "copy_state",
    read: ({ copies }) => copies?.state,
    unit: "",
    across: "same",
    meaning: `How copies stand: ${copyStates.slice(1).join(", ")}.`,
  },
  ...copyStates.map((state): Row => ({
    read: ({ copies }) => copies && (copies.state === state ? 1 : 0),
    series: { family: stateFamily, labels: { state } },
    unit: "",
    across: "same",
    meaning: `whether copies are ${state}`,
  })),
  row("copy_lag_seconds", ({ lag }) => lag, "Age of the oldest change that may be in no copy.", {
    unit: "seconds",
  }),
  row(
    "copy_last_success",
    ({ lastSuccess }) => lastSuccess,
    "When copies were up to date last, since 1970.",
    { unit: "seconds", name: "copy_last_success_timestamp_seconds" },
  ),
  row("copy_bytes", ({ sentBytes }) => sentBytes, "Bytes that copies have sent.", {
    type: "counter",
    unit: "bytes",
    name: "copy_sent_bytes_total",
  }),
  row("copy_objects", ({ sentObjects }) => sentObjects, "Objects that copies have sent.", {
    type: "counter",
    name: "copy_sent_objects_total",
  }),
  row("copy_moments", ({ moments }) => moments, "Moments that were copied.", {
    type: "counter",
    name: "copy_moments_total",
  }),
  row("copy_errors", ({ errors }) => errors, "Errors of copies.", {
    type: "counter",
    name: "copy_errors_total",
  }),
  row(
    "copy_held_bytes",
    ({ heldBytes }) => heldBytes,
    "Bytes of removed files that a copy under way keeps on the disk.",
    { unit: "bytes" },
  ),
  row("copy_removed", ({ removed }) => removed, "Objects that --copy-retention has removed.", {
    type: "counter",
    name: "copy_removed_objects_total",
  }),
  row(
    "copy_kept",
    ({ kept }) => kept,
    "1 where a policy of the bucket keeps an object that is to be removed.",
    { name: "copy_kept_objects" },
  ),
  row("copy_epoch", ({ epoch }) => epoch, "Which server of these copies it is, counted from 1."),
];
