/** kvs as a process of its own, as users start it. */

const root = new URL("../../", import.meta.url).pathname;
/** What a server says when it serves. */
const READY = /listening on (.+), items kept/;

/** A server that runs, killed when it is disposed of if it has not ended by then. */
export class ServerProcess implements AsyncDisposable {
  /** What it has said on standard error so far. */
  said = "";
  private readonly child: Deno.ChildProcess;
  private readonly reading: Promise<void>;
  private readonly ended: Promise<Deno.CommandStatus>;
  private readonly ready = Promise.withResolvers<string>();

  private constructor(args: readonly string[], env: Record<string, string>) {
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", `${root}server.ts`, ...args],
      cwd: root,
      env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.reading = this.read();
    this.ended = this.child.status;
  }

  /** Starts a server and waits until it serves. */
  static async start(
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<ServerProcess> {
    const server = new ServerProcess(args, env);
    server.address = await server.ready.promise;
    return server;
  }

  /** Where it listens, in its own words. */
  address = "";

  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(":") + 1));
  }

  get pid(): number {
    return this.child.pid;
  }

  kill(signal: Deno.Signal): void {
    this.child.kill(signal);
  }

  /** Waits until it has ended, and gives its exit code. */
  async exit(): Promise<number> {
    const { code } = await this.ended;
    await this.reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.exit();
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.child.stderr) {
      this.said += decoder.decode(bytes, { stream: true });
      const address = READY.exec(this.said)?.[1];
      if (address !== undefined) this.ready.resolve(address);
    }
    this.ready.reject(new Error(`the server did not start: ${this.said}`));
  }
}

/** Runs a server that is to end by itself, and gives what it says and its exit code. */
export async function runServer(
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", `${root}server.ts`, ...args],
    cwd: root,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
