/**
 * A Debian machine to try the startup script on: this machine's root file system under a layer of its own, so that
 * users, units and files that the script makes are gone with it. It has no systemd running; `systemctl` there is
 * `systemctl.sh`, which starts a unit's programs with the unit's user and environment.
 */

const DIRECTORY = new URL(".", import.meta.url).pathname;

/** Why no such machine can be made here; nothing where one can. */
export function obstacle(): string | undefined {
  if (Deno.build.os !== "linux") return "needs Linux";
  if (Deno.uid() !== 0) return "needs root, for a root file system of its own";
  const tried = new Deno.Command("unshare", {
    args: [
      "--mount",
      "sh",
      "-c",
      "mount -t tmpfs tmpfs /mnt && command -v useradd blkid setpriv bash",
    ],
    stdout: "null",
    stderr: "null",
  });
  try {
    return tried.outputSync().success ? undefined : "needs the right to mount, and Debian's tools";
  } catch {
    return "needs unshare";
  }
}

export interface Result {
  code: number;
  /** Standard output and standard error. */
  text: string;
}

export class Sandbox implements AsyncDisposable {
  /** A directory of this machine which the sandbox sees at the same path. */
  readonly shared: string;
  private readonly holder: Deno.ChildProcess;

  private constructor(shared: string, holder: Deno.ChildProcess) {
    this.shared = shared;
    this.holder = holder;
  }

  static async start(): Promise<Sandbox> {
    const shared = await Deno.makeTempDir({ prefix: "kvs-sandbox-" });
    const holder = new Deno.Command("unshare", {
      args: [
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "bash",
        `${DIRECTORY}sandbox.sh`,
        shared,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (new TextDecoder().decode(value).trim() !== "ready") {
      throw new Error("Cannot make a sandbox");
    }
    return new Sandbox(shared, holder);
  }

  /** Runs a bash command in the sandbox, as root. */
  async run(command: string, env: Record<string, string> = {}): Promise<Result> {
    const pid = await this.insidePid();
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: [
        `--target=${pid}`,
        "--mount",
        "--pid",
        "chroot",
        `${this.shared}/root`,
        ...["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        "bash",
        "-c",
        `${command} 2>&1`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** The process in the new name spaces: the only child of `unshare`. */
  private async insidePid(): Promise<string> {
    const path = `/proc/${this.holder.pid}/task/${this.holder.pid}/children`;
    return (await Deno.readTextFile(path)).trim().split(" ")[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder.stdin.close();
    await this.holder.status;
    await Deno.remove(this.shared, { recursive: true });
  }
}
