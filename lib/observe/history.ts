/**
 * The last hour of a server, a sample a second, in memory of a fixed size.
 *
 * @module
 */

/** Samples that are kept. */
const LENGTH = 3600;

/** Samples of the same columns, the oldest evicted by the newest. */
export class History {
  readonly columns: readonly string[];
  readonly #times = new Float64Array(LENGTH);
  readonly #values: readonly Float32Array[];
  #count = 0;

  constructor(columns: readonly string[]) {
    this.columns = columns;
    this.#values = columns.map(() => new Float32Array(LENGTH));
  }

  /** How many samples there are. */
  get length(): number {
    return Math.min(this.#count, LENGTH);
  }

  /** Adds a sample. `time` in seconds since 1970; what a sample does not have is NaN. */
  add(time: number, values: readonly number[]): void {
    const at = this.#count++ % LENGTH;
    this.#times[at] = time;
    this.#values.forEach((column, i) => column[at] = values[i]!);
  }

  /** The times and the columns, the oldest sample first; what a sample does not have is `null`. */
  read(): { readonly times: number[]; readonly columns: (number | null)[][] } {
    const order = Array.from(
      { length: this.length },
      (_, i) => (this.#count - this.length + i) % LENGTH,
    );
    return {
      times: order.map((at) => this.#times[at]!),
      columns: this.#values.map((column) => order.map((at) => rounded(column[at]!))),
    };
  }
}

/** Four digits are what a chart can show. */
export function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
}
