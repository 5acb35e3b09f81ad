/**
 * Whether what clients saw of one key can be explained by an order of their requests in which each takes effect
 * at one moment between its call and its answer.
 *
 * Events are gone through in the order of time, with all states that are possible after them. When an answer
 * comes, any of the requests under way may have taken effect before it, in any order (M. P. Herlihy and
 * J. M. Wing, "Linearizability", 1990; G. Lowe, "Testing for linearizability", 2017: just-in-time).
 */

/** What a key may hold: a value that was written once, or nothing. */
export type State = string | undefined;

/** A request and what came of it. */
export interface Event {
  /** For people. */
  readonly name: string;
  /** Two moments of one clock. Without an answer `returned` is `Infinity`: it may have taken effect or not. */
  readonly called: number;
  readonly returned: number;
  /** The state after it, or `"impossible"` where what came of it cannot be in that state. */
  readonly apply: (state: State) => { readonly next: State } | "impossible";
}

interface Configuration {
  /** Numbers of requests under way that have taken effect. */
  readonly done: readonly number[];
  readonly state: State;
}

/** `undefined` where there is such an order; otherwise what cannot be explained. */
export function unexplained(events: readonly Event[], initial: State): string | undefined {
  const moments = events.flatMap(({ called, returned }, number) => [
    { at: called, number, isCall: true },
    ...returned === Infinity ? [] : [{ at: returned, number, isCall: false }],
  ]);
  moments.sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
  const underWay = new Set<number>();
  let possible: Configuration[] = [{ done: [], state: initial }];
  for (const { number, isCall } of moments) {
    if (isCall) {
      underWay.add(number);
      continue;
    }
    const before = possible.map(({ state }) => state);
    possible = afterReturn(possible, number, underWay, events);
    underWay.delete(number);
    if (possible.length === 0) {
      return `${events[number]!.name} cannot be explained; before it the key was one of ` +
        `${[...new Set(before)].map(String).join(", ")}`;
    }
  }
  return undefined;
}

/** All configurations in which a request that returns has taken effect. */
function afterReturn(
  possible: readonly Configuration[],
  number: number,
  underWay: ReadonlySet<number>,
  events: readonly Event[],
): Configuration[] {
  const seen = new Set<string>();
  const found = new Map<string, Configuration>();
  const work = [...possible];
  for (let one = work.pop(); one !== undefined; one = work.pop()) {
    const key = keyOf(one);
    if (seen.has(key)) continue;
    seen.add(key);
    if (one.done.includes(number)) {
      const after = { ...one, done: one.done.filter((other) => other !== number) };
      found.set(keyOf(after), after);
      continue;
    }
    for (const other of underWay) {
      if (one.done.includes(other)) continue;
      const applied = events[other]!.apply(one.state);
      if (applied === "impossible") continue;
      work.push({ done: [...one.done, other].sort((a, b) => a - b), state: applied.next });
    }
  }
  return [...found.values()];
}

function keyOf({ done, state }: Configuration): string {
  return `${done.join()}|${state}`;
}
