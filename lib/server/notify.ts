/**
 * What systemd is told of the server (sd_notify(3)): one datagram a message to the socket of `NOTIFY_SOCKET`.
 *
 * Deno sends to such a socket from one that has a path of its own, and only with `--unstable-net`, which
 * `deno.json` turns on. It knows no abstract sockets (`@…`), which systemd uses for user services of old.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";

/** Sends messages to systemd. */
export class Notifier {
  /** Milliseconds between two signs of life that systemd wants; 0 where it wants none. */
  readonly watchdogInterval: number;
  readonly #socket: Deno.DatagramConn;
  readonly #directory: string;
  readonly #to: Deno.UnixAddr;
  #sending: Promise<void> = Promise.resolve();

  private constructor(to: string, watchdogMicroseconds: number) {
    this.#directory = Deno.makeTempDirSync({ prefix: "kvs-notify-" });
    const path = `${this.#directory}/from`;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
    this.#to = { transport: "unixpacket", path: to };
    // Half of what systemd waits for, as sd_watchdog_enabled(3) recommends.
    this.watchdogInterval = watchdogMicroseconds / 2000;
  }

  /** A notifier; `undefined` where nobody waits for messages, or where none can be sent: `problem` says why. */
  static open(problem: (sentence: string) => void): Notifier | undefined {
    const path = Deno.env.get("NOTIFY_SOCKET");
    if (path === undefined || path === "") return undefined;
    if (!path.startsWith("/")) {
      problem(`cannot tell systemd of the start: NOTIFY_SOCKET '${path}' is no path`);
      return undefined;
    }
    const pid = Deno.env.get("WATCHDOG_PID");
    const isForUs = pid === undefined || pid === String(Deno.pid);
    const watchdog = isForUs ? Number(Deno.env.get("WATCHDOG_USEC") ?? 0) : 0;
    try {
      return new Notifier(path, Number.isFinite(watchdog) ? watchdog : 0);
    } catch (error) {
      problem(
        `cannot tell systemd of the start: ${error instanceof Error ? error.message : error}`,
      );
      return undefined;
    }
  }

  /** Sends assignments, such as `READY=1`. That systemd does not listen any more ends no server. */
  send(...assignments: string[]): void {
    // Deno refuses a message while another one is on its way.
    this.#sending = this.#sending
      .then(() => this.#socket.send(bytesOf(assignments.join("\n")), this.#to))
      .then(() => {}, () => {});
  }

  /** Ends it when all messages are sent. */
  async close(): Promise<void> {
    await this.#sending;
    this.#socket.close();
    try {
      Deno.removeSync(this.#directory, { recursive: true });
    } catch {
      // Somebody else has cleared the directory of temporary files.
    }
  }
}
