/** kvs as a process of its own, as users start it. */

const root = new URL("../../", import.meta.url).pathname;
/** What a server says when it serves. */
const READY = /listening on (.+), items kept/;

/** How a server is started, where that is not the usual way. */
export interface Start {
  readonly env?: Record<string, string>;
  /** A command that runs it: `["unshare", "--pid"]`. */
  readonly through?: readonly string[];
  /** Whether Deno keeps its own messages to itself. */
  readonly quiet?: boolean;
  /** What is run, where it is not `server.ts`. */
  readonly script?: string;
}

/** The command that starts a server. */
export function commandOf(
  args: readonly string[],
  { through = [], quiet = true, script = `${root}server.ts` }: Start,
): string[] {
  const flags = ["-A", "--no-check", ...quiet ? ["--quiet"] : []];
  return [...through, Deno.execPath(), "run", ...flags, script, ...args];
}

/** A server that runs, killed when it is disposed of if it has not ended by then. */
export class ServerProcess implements AsyncDisposable {
  /** What it has said on standard error so far. */
  said = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #ended: Promise<Deno.CommandStatus>;
  readonly #ready = Promise.withResolvers<string>();
  readonly #waiting: { what: RegExp; heard: PromiseWithResolvers<void> }[] = [];

  private constructor(args: readonly string[], start: Start) {
    const [program, ...rest] = commandOf(args, start);
    this.#child = new Deno.Command(program!, {
      args: rest,
      cwd: root,
      env: start.env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reading = this.#read();
    this.#ended = this.#child.status;
  }

  /** Starts a server and waits until it serves. */
  static async start(
    args: readonly string[],
    env: Record<string, string> = {},
    start: Start = {},
  ): Promise<ServerProcess> {
    const server = new ServerProcess(args, { env, ...start });
    server.address = await server.#ready.promise;
    return server;
  }

  /** Starts a server that may end before it serves. */
  static spawn(args: readonly string[], start: Start = {}): ServerProcess {
    const server = new ServerProcess(args, start);
    server.#ready.promise.catch(() => {});
    return server;
  }

  /** Where it listens, in its own words. */
  address = "";

  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(":") + 1));
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until it has said something that matches. */
  async says(what: RegExp): Promise<void> {
    if (what.test(this.said)) return;
    const heard = Promise.withResolvers<void>();
    this.#waiting.push({ what, heard });
    await heard.promise;
  }

  /** Waits until it has ended, and returns its exit code. */
  async exit(): Promise<number> {
    const { code } = await this.#ended;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.exit();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stderr) {
      this.said += decoder.decode(bytes, { stream: true });
      const address = READY.exec(this.said)?.[1];
      if (address !== undefined) this.#ready.resolve(address);
      for (const { what, heard } of this.#waiting) if (what.test(this.said)) heard.resolve();
    }
    this.#ready.reject(new Error(`the server did not start: ${this.said}`));
    for (const { what, heard } of this.#waiting) {
      heard.reject(new Error(`the server never said ${what}: ${this.said}`));
    }
  }
}

/** Runs a server that is to end by itself, and returns what it says and its exit code. */
export function runServer(...args: string[]): Promise<Ended> {
  return runServerIn({}, ...args);
}

/** How a server has ended. */
interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** {@linkcode runServer} with more in its environment. */
export async function runServerIn(
  env: Record<string, string>,
  ...args: string[]
): Promise<Ended> {
  const [program, ...rest] = commandOf(args, {});
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args: rest,
    cwd: root,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
