import process from "node:process";

/** The time of the processor that this process has used, in microseconds. */
export function cpuUsage(): { readonly user: number; readonly system: number } {
  return process.cpuUsage();
}
