/** Runs the scripts of `infra/` as a user would, against the stand-in for Google's APIs. */

import { Cloud, PROJECT } from "./cloud.ts";
import { Gcloud } from "./gcloud.ts";

export const ROOT = new URL("../../", import.meta.url).pathname;

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The commands among a script's lines: gcloud, and curl for what gcloud has no command for. */
export function commands(outcome: Outcome): string[] {
  return outcome.stdout.split("\n").filter((line) => /^(gcloud|curl) /.test(line));
}

async function execute(
  script: string,
  args: string[],
  env: Record<string, string>,
  input = "",
): Promise<Outcome> {
  const child = new Deno.Command(`${ROOT}infra/${script}`, {
    args,
    cwd: ROOT,
    env: { HOME: "/nonexistent", ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A dry run, on a machine where gcloud cannot be called. */
export async function dryRun(
  script: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<Outcome> {
  const directory = await Deno.makeTempDir();
  try {
    const gcloud = `${directory}/gcloud`;
    await Deno.writeTextFile(gcloud, "#!/bin/sh\necho 'gcloud was called' >&2\nexit 1\n", {
      mode: 0o755,
    });
    const PATH = `${directory}:${Deno.env.get("PATH")}`;
    return await execute(script, ["--dry-run", ...args], { PATH, KVS_PROJECT: PROJECT, ...env });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A project of its own, executables, and settings. */
export class Deployment implements AsyncDisposable {
  readonly #gcloud: Gcloud;
  readonly #bin: string;
  readonly #settings: Record<string, string>;

  private constructor(
    readonly cloud: Cloud,
    gcloud: Gcloud,
    bin: string,
    settings: Record<string, string>,
  ) {
    this.#gcloud = gcloud;
    this.#bin = bin;
    this.#settings = settings;
  }

  static async start(settings: Record<string, string>): Promise<Deployment> {
    const gcloud = await Gcloud.start();
    const made = new Deployment(await Cloud.start(), gcloud, await Deno.makeTempDir(), settings);
    await made.build("one");
    return made;
  }

  /** New executables, as `deno task compile` would make them. */
  async build(label: string): Promise<void> {
    let sums = "";
    for (const name of ["kvs-server", "kvs-client", "kvs-bench"]) {
      const content = new TextEncoder().encode(`${name} ${label}\n`);
      await Deno.writeFile(`${this.#bin}/${name}`, content);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
      sums += `${digest.toHex()}  ${name}\n`;
    }
    await Deno.writeTextFile(`${this.#bin}/SHA256SUMS`, sums);
  }

  /** The same deployment with other settings. */
  with(settings: Record<string, string>): Deployment {
    return new Deployment(this.cloud, this.#gcloud, this.#bin, { ...this.#settings, ...settings });
  }

  run(script: string, args: string[] = [], input?: string): Promise<Outcome> {
    return execute(script, args, {
      PATH: `${this.#gcloud.directory}:${Deno.env.get("PATH")}`,
      ...this.cloud.environment(),
      KVS_PROJECT: PROJECT,
      KVS_BIN: this.#bin,
      KVS_POLL_SECONDS: "0.1",
      KVS_READY_TIMEOUT: "60",
      ...this.#settings,
    }, input);
  }

  /** Requests since `from` that change something; asking for a policy or a VM's health is a POST too. */
  changes(from = 0): string[] {
    return this.cloud.requests.slice(from)
      .filter(({ method, path }) =>
        method !== "GET" && !/:getIamPolicy$|\/listManagedInstances$|\/getHealth$/.test(path)
      )
      .map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gcloud[Symbol.asyncDispose]();
    await this.cloud[Symbol.asyncDispose]();
    await Deno.remove(this.#bin, { recursive: true });
  }
}
