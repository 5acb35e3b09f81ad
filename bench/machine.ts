/**
 * What was measured on what, without which a figure says nothing.
 *
 * @module
 */

import { VERSION } from "../lib/version.ts";

/** A machine and the versions of what ran on it. */
export interface Machine {
  /** `2 × AMD EPYC` */
  readonly processor: string;
  /** In GiB. */
  readonly memory: number;
  readonly system: string;
  /** Name to version. */
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly date: string;
}

/** Describes this machine, and the programs named by their commands. */
export async function describeMachine(
  programs: Readonly<Record<string, readonly [string, ...string[]]>>,
): Promise<Machine> {
  const model = /^model name\s*: (.*)$/m.exec(await readIfThere("/proc/cpuinfo"))?.[1];
  const versions: Record<string, string> = { kvs: VERSION, deno: Deno.version.deno };
  for (const [name, command] of Object.entries(programs)) {
    const version = await versionOf(command);
    if (version !== undefined) versions[name] = version;
  }
  return {
    processor: `${navigator.hardwareConcurrency} × ${model ?? Deno.build.arch}`,
    memory: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    versions,
    date: new Date().toISOString().slice(0, 19) + "Z",
  };
}

/** A machine in two lines of text. */
export function machineText({ processor, memory, system, versions, date }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${processor}, ${memory} GiB, ${system}, ${date}\n${programs.join(", ")}`;
}

/** The version that a program tells of itself, or `undefined` where it is not installed. */
export async function versionOf(
  [program, ...args]: readonly [string, ...string[]],
): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return /\d+(\.\d+)+/.exec(new TextDecoder().decode(stdout))?.[0];
  } catch {
    return undefined;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}
