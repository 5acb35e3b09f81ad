/**
 * One measurement of one server after the other, and what is made of several.
 *
 * @module
 */

import type { Measurement, Task } from "./generator.ts";
import { denoScript } from "./processes.ts";

/** How long the generator goes on before the clock runs. */
export const WARM_UP_SECONDS = 0.4;
/** From this share of the machine on other processes make throughput and latency doubtful. */
export const NOISE = 0.1;

/** Lets a generator in a process of its own do a task. */
export async function measure(task: Omit<Task, "warmUpSeconds">): Promise<Measurement> {
  const whole: Task = { ...task, warmUpSeconds: WARM_UP_SECONDS };
  const [program, ...args] = denoScript("bench/generator.ts", JSON.stringify(whole));
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** What a table says of other processes: nothing where they took little. */
export function noiseText(othersShares: readonly number[]): string[] {
  const noise = median(othersShares);
  if (noise < NOISE) return [];
  return [
    `Other processes took ${Math.round(noise * 100)} % of this machine: operations a second are ` +
    "too few and vary; CPU time an operation holds.",
  ];
}
