/**
 * The clocks of a copy, so that tests can let an hour pass.
 *
 * @module
 */

/** Time as a copy takes it. */
export interface CopyClock {
  /** Milliseconds since 1970, which may jump. */
  now(): number;
  /** Milliseconds since some moment, which never jump. */
  monotonic(): number;
  /** @throws {PauseEnded} when the signal comes meanwhile */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** A pause was ended before its time. */
export class PauseEnded extends Error {
  override readonly name = "PauseEnded";
}

/** The machine's clocks. */
export const machineClock: CopyClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        reject(new PauseEnded("the pause was ended"));
      };
      if (signal?.aborted) return reject(new PauseEnded("the pause was ended"));
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", end);
        resolve();
      }, milliseconds);
      signal?.addEventListener("abort", end, { once: true });
    }),
};
