/** A machine that has no memory left for large pieces. */

/** Calls something while nobody gets memory for `least` bytes and more in one piece. */
export function withoutMemory<T>(least: number, call: () => T): T {
  const whole = { Uint8Array, Uint32Array };
  const short = <A extends Uint8ArrayConstructor | Uint32ArrayConstructor>(array: A): A =>
    new Proxy(array, {
      construct(target, args, newTarget) {
        if (args[0] * target.BYTES_PER_ELEMENT >= least) {
          throw new RangeError("Array buffer allocation failed");
        }
        return Reflect.construct(target, args, newTarget);
      },
    });
  globalThis.Uint8Array = short(Uint8Array);
  globalThis.Uint32Array = short(Uint32Array);
  try {
    return call();
  } finally {
    Object.assign(globalThis, whole);
  }
}
