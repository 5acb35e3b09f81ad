/**
 * The real gcloud, loaded once for the hundred commands of a deployment (`gcloud.py`): a second of CPU a command
 * becomes a fifth.
 *
 * @module
 */

const PROGRAM = new URL("gcloud.py", import.meta.url).pathname;

/** Where gcloud is installed, and the Python that it runs on; nothing where there is none. */
function installation(): { sdk: string; python: string } | undefined {
  try {
    const { success, stdout } = new Deno.Command("gcloud", {
      args: ["info", "--format=value(installation.sdk_root,basic.python_location)"],
      stderr: "null",
    }).outputSync();
    const [sdk, python] = new TextDecoder().decode(stdout).trim().split("\t");
    return success ? { sdk, python } : undefined;
  } catch {
    return undefined;
  }
}

/** Asked once: it is a command of gcloud's as well. */
let known: ReturnType<typeof installation>;

export const hasGcloud = (): boolean => (known ??= installation()) !== undefined;

export class Gcloud implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  private constructor(process: Deno.ChildProcess, readonly directory: string) {
    this.#process = process;
  }

  /** Starts it; `gcloud` is a program of {@linkcode directory} then. */
  static async start(): Promise<Gcloud> {
    if (!hasGcloud()) throw new Error("There is no gcloud here");
    const { sdk, python } = known!;
    const directory = await Deno.makeTempDir({ prefix: "kvs-gcloud-" });
    const socket = `${directory}/socket`;
    const process = new Deno.Command(python, {
      args: ["-IS", PROGRAM, "serve", sdk, socket],
      env: { CLOUDSDK_CONFIG: directory },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = process.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (value === undefined) throw new Error("gcloud's modules cannot be loaded");
    await Deno.writeTextFile(
      `${directory}/gcloud`,
      `#!/bin/sh\nexec '${python}' -IS '${PROGRAM}' run '${socket}' "$@"\n`,
      { mode: 0o755 },
    );
    return new Gcloud(process, directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.close();
    await this.#process.status;
    await Deno.remove(this.directory, { recursive: true });
  }
}
