/**
 * A Debian machine to try the startup script on: this machine's root file system under a layer of its own, so that
 * users, units and files that the script makes are gone with it. It runs a systemd of its own where that is asked for;
 * else `systemctl` there is `systemctl.sh`, which starts a unit's programs with the unit's user and environment.
 */

const DIRECTORY = new URL(".", import.meta.url).pathname;

/** Deno in a sandbox, where every user may run it: here it may lie in a home that is closed to others. */
export const SANDBOX_DENO = "/opt/deno";

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

/** Why a sandbox cannot have a systemd of its own; nothing where it can. */
export async function systemdObstacle(): Promise<string | undefined> {
  if (obstacle()) return obstacle();
  try {
    await using _ = await Sandbox.start("systemd");
  } catch (error) {
    return `needs a kernel that lets systemd run in a sandbox: ${(error as Error).message}`;
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
  readonly #holder: Deno.ChildProcess;

  readonly #systemd: boolean;

  private constructor(
    shared: string,
    holder: Deno.ChildProcess,
    systemd: boolean,
  ) {
    this.#systemd = systemd;

    this.shared = shared;
    this.#holder = holder;
  }

  static async start(init?: "systemd"): Promise<Sandbox> {
    const shared = await Deno.makeTempDir({ prefix: "kvs-sandbox-" });
    const holder = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child"],
        ...["bash", `${DIRECTORY}sandbox.sh`, shared, Deno.execPath(), init ?? ""],
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
    const sandbox = new Sandbox(shared, holder, init === "systemd");
    if (init) await sandbox.#booted();
    return sandbox;
  }

  /** Runs a bash command in the sandbox, as root. */
  async run(command: string, env: Record<string, string> = {}): Promise<Result> {
    const pid = await this.#insidePid();
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: [
        `--target=${pid}`,
        "--mount",
        "--pid",
        ...(this.#systemd ? [] : ["chroot", `${this.shared}/root`]),
        ...["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        "bash",
        "-c",
        `umask 022; ${command} 2>&1`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  async #booted(): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if ((await this.run("systemctl is-active sandbox.target")).code === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this[Symbol.asyncDispose]();
    throw new Error("Cannot start a systemd in the sandbox");
  }

  /** The process in the new name spaces: the only child of `unshare`. */
  async #insidePid(): Promise<string> {
    const path = `/proc/${this.#holder.pid}/task/${this.#holder.pid}/children`;
    return (await Deno.readTextFile(path)).trim().split(" ")[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.stdin.close();
    if (this.#systemd) this.#holder.kill("SIGKILL");
    await this.#holder.status;
    await Deno.remove(this.shared, { recursive: true });
  }
}
