import { assert, assertEquals } from "@std/assert";
import type { Figure } from "../../lib/protocol/outcome.ts";
import { ask, Opcode, reply } from "../protocol/binary/frames.ts";
import { Harness, ScriptedSocket } from "./harness.ts";

/** As much as 20,000 connections are described with. */
const FIGURES: Figure[] = Array.from({ length: 80_000 }, (_, i) => [`${i}:state`, "conn_read"]);
const LINES = FIGURES.map(([name, value]) => `STAT ${name} ${value}\r\n`).join("") + "END\r\n";
/** Lines wait together up to so many bytes. */
const PART = 300 * 1024;

/** A socket that notes how much each write takes. */
class NotingSocket extends ScriptedSocket {
  readonly sizes: number[] = [];

  override write(bytes: Uint8Array): Promise<number> {
    this.sizes.push(bytes.length);
    return super.write(bytes);
  }
}

function described(): Harness {
  return new Harness({ context: { describeConnections: () => Promise.resolve(FIGURES) } });
}

Deno.test("a reply of very many lines goes out in parts, between those before and behind it", async () => {
  await using harness = described();
  const socket = new NotingSocket(["set k 0 0 1\r\nx\r\nstats conns\r\nget k\r\nstats conns\r\n"]);
  await harness.serve(socket);
  const expected = `STORED\r\n${LINES}VALUE k 0 1\r\nx\r\nEND\r\n${LINES}`;
  assert(socket.written === expected, "the replies are others");
  assert(Math.max(...socket.sizes) <= PART, `${Math.max(...socket.sizes)} bytes in one write`);
});

Deno.test("a reply of very many frames goes out in parts, each with its opaque", async () => {
  await using harness = described();
  const socket = new NotingSocket([
    ask(Opcode.stat, { key: "conns", opaque: 7 }) + ask(Opcode.noop, { opaque: 8 }),
  ]);
  await harness.serve(socket);
  const frames = FIGURES.map(([key, value]) =>
    reply(Opcode.stat, { key, value: String(value), opaque: 7 })
  );
  const end = reply(Opcode.stat, { opaque: 7 }) + reply(Opcode.noop, { opaque: 8 });
  assert(socket.written === frames.join("") + end, "the replies are others");
  assert(Math.max(...socket.sizes) <= PART, `${Math.max(...socket.sizes)} bytes in one write`);
});

Deno.test("a long stats cachedump goes out in parts", async () => {
  await using harness = new Harness();
  const keys = Array.from({ length: 20_000 }, (_, i) => `key-${i}`);
  await harness.exchange([keys.map((key) => `set ${key} 0 0 1 noreply\r\nx\r\n`).join("")]);
  const socket = new NotingSocket(["stats cachedump 1 0\r\nversion\r\n"]);
  await harness.serve(socket);
  const lines = socket.written.split("\r\n");
  assertEquals(lines.slice(-3), ["END", `VERSION ${harness.context.version}`, ""]);
  const listed = lines.slice(0, -3).map((line) => /^ITEM (\S+) \[1 b; 0 s\]$/.exec(line)![1]!);
  assertEquals(listed.toSorted(), keys.toSorted());
  assert(socket.sizes.length > 1, "all was sent in one go");
});

Deno.test("descriptions of all connections are made for one client after the other", async () => {
  let making = 0;
  let most = 0;
  await using harness = new Harness({
    context: {
      describeConnections: async () => {
        most = Math.max(most, ++making);
        await new Promise((resolve) => setTimeout(resolve, 0));
        making--;
        return FIGURES;
      },
    },
  });
  const replies = await Promise.all(
    Array.from({ length: 5 }, () => harness.exchange(["stats conns\r\n"])),
  );
  assert(replies.every((text) => text === LINES), "the replies are others");
  assertEquals(most, 1);
});
