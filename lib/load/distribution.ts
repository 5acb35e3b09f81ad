/**
 * How sizes and keys are spread.
 *
 * @module
 */

import type { Option } from "../cli/option.ts";
import type { Random } from "./random.ts";

/** Sizes in bytes. */
export interface Sizes {
  readonly min: number;
  readonly max: number;
  pick(random: Random): number;
  /** As the option takes it: `100`, `10-1000`, `zipf`. */
  readonly text: string;
}

/** What `zipf` spreads sizes over when it is not told, in bytes. */
const ZIPF_RANGE = "1-10000";

/**
 * Reads sizes: `100` for one size, `10-1000` for any between with the same chance, `zipf` or
 * `zipf:10-1000` for chances that fall with the size (a size twice as great is half as likely).
 * `undefined` for what is none of these.
 */
export function parseSizes(text: string): Sizes | undefined {
  const match = /^(zipf(?::(?=\d))?)?(?:(\d+)(?:-(\d+))?)?$/.exec(text);
  if (match === null || text === "") return undefined;
  const zipf = match[1] !== undefined;
  const [low, high] = match[2] === undefined ? ZIPF_RANGE.split("-") : [match[2], match[3]];
  const min = Number(low);
  const max = Number(high ?? low);
  if (min > max || zipf && (min === 0 || high === undefined)) return undefined;
  return {
    min,
    max,
    text,
    pick: min === max
      ? () => min
      : zipf
      ? (random) => Math.floor(min * ((max + 1) / min) ** random.unit())
      : (random) => min + random.below(max - min + 1),
  };
}

/** An option that takes {@linkcode Sizes} between `min` and `max` bytes. */
export function sizes(
  declared: { flags: string; default: string; help: string; min: number; max: number },
): Option<Sizes> {
  const { min, max } = declared;
  const read = (text: string) => {
    const found = parseSizes(text);
    return found !== undefined && found.min >= min && found.max <= max ? found : undefined;
  };
  return {
    ...declared,
    value: "SIZES",
    takes: `bytes such as 100, 10-1000, zipf or zipf:10-1000, from ${min} to ${max}`,
    default: read(declared.default)!,
    shown: declared.default,
    read,
  };
}

/** Chooses one of a number of things, by their place. */
export interface Picker {
  pick(random: Random): number;
}

/** All have the same chance. */
export function uniform(count: number): Picker {
  return { pick: (random) => random.below(count) };
}

/** The exponent of the benchmarks of the field (YCSB's). */
const EXPONENT = 0.99;

/**
 * The chance of place k (from 0) is proportional to 1 / (k + 1)^0.99: of 10,000 things the first
 * hundred get half of all. By rejection-inversion (Hörmann and Derflinger, 1996), which needs no
 * table, however many there are.
 */
export function zipf(count: number): Picker {
  const power = 1 - EXPONENT;
  const integral = (x: number) => (x ** power - 1) / power;
  const inverse = (y: number) => (1 + y * power) ** (1 / power);
  const from = integral(1.5) - 1;
  const to = integral(count + 0.5);
  return {
    pick(random) {
      while (true) {
        const y = to + random.unit() * (from - to);
        const k = Math.min(count, Math.max(1, Math.round(inverse(y))));
        if (y >= integral(k + 0.5) - k ** -EXPONENT) return k - 1;
      }
    },
  };
}
