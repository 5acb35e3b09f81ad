/** A machine that has no memory left for large pieces. */

/** Calls something while nobody gets memory for `least` bytes and more in one piece. */
export function withoutMemory<T>(least: number, call: () => T): T {
  const whole = globalThis.Uint8Array;
  globalThis.Uint8Array = new Proxy(whole, {
    construct(target, args, newTarget) {
      if (args[0] >= least) throw new RangeError("Array buffer allocation failed");
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    return call();
  } finally {
    globalThis.Uint8Array = whole;
  }
}
