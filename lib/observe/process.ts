import process from "node:process";

/** What is taken for the machine's memory where the system does not tell, in bytes. */
const UNKNOWN_MEMORY = 2 ** 30;

/** The memory that this process may use: the machine's, or less where a cgroup has a limit. In bytes. */
export function memoryOfMachine(): number {
  try {
    const { total } = Deno.systemMemoryInfo();
    const limit = process.constrainedMemory();
    return limit > 0 ? Math.min(total, limit) : total;
  } catch {
    return UNKNOWN_MEMORY;
  }
}

/** The time of the processor that this process has used, in microseconds. */
export function cpuUsage(): { readonly user: number; readonly system: number } {
  return process.cpuUsage();
}

/** Whether Deno exports what OpenTelemetry is told. */
export function isExporting(): boolean {
  return ["true", "1"].includes(Deno.env.get("OTEL_DENO") ?? "");
}
