import type { Option } from "../cli/option.ts";

/** An option that takes a share of a whole. */
export function fraction(
  declared: { flags: string; default: number; help: string },
): Option<number> {
  return {
    ...declared,
    value: "SHARE",
    takes: "a number from 0 to 1",
    shown: String(declared.default),
    read(text) {
      const share = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
      return share <= 1 ? share : undefined;
    },
  };
}
