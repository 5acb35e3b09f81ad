/**
 * What the operating system tells the process: stop, reload, and nothing else.
 *
 * `server.ts` imports this module before any other, so that a signal that comes while the rest loads is
 * already heard. It therefore imports nothing itself.
 *
 * @module
 */

/** What asked the server to stop: a signal, the `shutdown` command, or another server of its copies. */
export type StopReason =
  | "SIGINT"
  | "SIGTERM"
  | "SIGUSR1"
  | "shutdown"
  | "shutdown graceful"
  | "fenced";

/** The signals that stop the server, as they stop memcached. */
const STOPPING = ["SIGINT", "SIGTERM", "SIGUSR1"] as const;

/**
 * Addresses for {@linkcode closeInspector}, tried in turn. A TCP socket may listen on a broadcast
 * address, but no TCP connection to one can be made.
 */
const UNREACHABLE = ["127.255.255.255", "255.255.255.255"];

/** Hears signals from its construction on. */
export class Signals {
  readonly #stopped = Promise.withResolvers<StopReason>();
  readonly #listeners: [Deno.Signal, () => void][];
  #reason: StopReason | undefined;
  #reload: (() => void) | undefined;

  constructor() {
    // Deno catches SIGHUP from the first listener on, and ends the process where none is for that signal.
    this.#listeners = [
      ["SIGHUP", () => this.#reload?.()],
      ...STOPPING.map((signal): [Deno.Signal, () => void] => [signal, () => this.stop(signal)]),
    ];
    this.listen();
  }

  /** Hears signals again after {@linkcode release}. */
  listen(): void {
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Resolves when the server is to stop. */
  get stopped(): Promise<StopReason> {
    return this.#stopped.promise;
  }

  /** Why the server is to stop; `undefined` as long as it is not. */
  get reason(): StopReason | undefined {
    return this.#reason;
  }

  /** Asks for the stop. The first reason is the one that counts. */
  stop(reason: StopReason): void {
    this.#reason ??= reason;
    this.#stopped.resolve(reason);
  }

  /** What SIGHUP does from now on. Before this is called it does nothing. */
  onReload(reload: () => void): void {
    this.#reload = reload;
  }

  /** Hears no more signals; they do what they do to any process. */
  release(): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/**
 * How long `deno run` waits before it listens to SIGUSR1 itself, in milliseconds (Deno 2.9.2 and later,
 * cli/worker.rs). An inspector that is open earlier was asked for by `--inspect`.
 */
const GRACE_PERIOD = 500;
const loadedAfter = performance.now();

/**
 * Takes from SIGUSR1 what Deno adds to it. Some time after its start `deno run` begins to answer that
 * signal by opening V8's inspector on 127.0.0.1:9229, and whoever connects there runs code in the
 * server. No flag turns that off and a listener does not replace it, but a process has one inspector
 * server only: one that listens where nobody can connect keeps the other from being opened. Where the
 * system knows no such address, the inspector is closed again as soon as the signal is heard.
 *
 * An inspector that `--inspect` has opened stays.
 */
export async function closeInspector(): Promise<void> {
  const { default: inspector } = await import("node:inspector");
  const { default: process } = await import("node:process");
  if (inspector.url() !== undefined) {
    if (loadedAfter < GRACE_PERIOD) return;
    inspector.close();
  }
  const { emitWarning } = process;
  for (const host of UNREACHABLE) {
    try {
      // It warns of addresses that are not of this machine.
      process.emitWarning = () => {};
      inspector.open(0, host);
    } catch {
      continue;
    } finally {
      process.emitWarning = emitWarning;
    }
    if (!await canConnect(new URL(inspector.url()!))) return;
    inspector.close();
  }
  // Deno may hear the signal before this listener or after it.
  Deno.addSignalListener("SIGUSR1", () => {
    inspector.close();
    setTimeout(() => inspector.close());
  });
}

async function canConnect({ hostname, port }: URL): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return true;
  } catch {
    return false;
  }
}
