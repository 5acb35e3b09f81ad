import { assertEquals, assertMatch } from "@std/assert";
import { ServerProcess } from "./process.ts";

/** A socket like that of systemd, at which a service tells of itself. */
class Listener implements AsyncDisposable {
  private constructor(readonly directory: string, readonly socket: Deno.DatagramConn) {}

  static async open(): Promise<Listener> {
    const directory = await Deno.makeTempDir();
    return new Listener(
      directory,
      Deno.listenDatagram({ transport: "unixpacket", path: `${directory}/notify` }),
    );
  }

  get path(): string {
    return `${this.directory}/notify`;
  }

  /** Waits for a message that has this line, and returns it. */
  async hears(line: RegExp): Promise<string> {
    for (;;) {
      const [bytes] = await this.socket.receive();
      const message = new TextDecoder().decode(bytes);
      if (line.test(message)) return message;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await Deno.remove(this.directory, { recursive: true });
  }
}

Deno.test("systemd is told of the start, of readiness and of the stop", async () => {
  await using systemd = await Listener.open();
  await using server = ServerProcess.spawn(["-p", "-1", "--store", "memory"], {
    env: { NOTIFY_SOCKET: systemd.path },
  });
  assertMatch(await systemd.hears(/^STATUS=starting$/m), /^EXTEND_TIMEOUT_USEC=\d+$/m);
  assertMatch(await systemd.hears(/^READY=1$/m), /^STATUS=listening on /m);
  server.kill("SIGTERM");
  await systemd.hears(/^STOPPING=1$/m);
  assertEquals(await server.exit(), 0);
});

Deno.test("systemd gets the signs of life that it asks for", async () => {
  await using systemd = await Listener.open();
  await using _server = ServerProcess.spawn(["-p", "-1", "--store", "memory"], {
    env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "200000" },
  });
  await systemd.hears(/^WATCHDOG=1$/m);
  await systemd.hears(/^WATCHDOG=1$/m);
});

Deno.test("a server serves also where systemd cannot be told", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--store", "memory"], {
    NOTIFY_SOCKET: "@abstract",
  });
  assertMatch(
    server.said,
    /cannot tell systemd of the start: NOTIFY_SOCKET '@abstract' is no path/,
  );
});
