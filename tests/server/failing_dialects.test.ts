/** What clients of each dialect are told where a store fails. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { bytesOfBinaryString } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError, StoreError } from "../../lib/errors.ts";
import {
  ask,
  counting,
  failure,
  Opcode,
  reply,
  Status,
  storing,
  u32,
} from "../protocol/binary/frames.ts";
import { Harness, ScriptedSocket } from "./harness.ts";
import { FailingStore } from "./wrapped_store.ts";

const SENTENCE = "cannot reach the disk";
const LINE = `SERVER_ERROR ${SENTENCE}\r\n`;
const lost = new StoreError(SENTENCE);
const extras = storing();

/** The frame that says that the store failed. */
function failed(opcode: number, opaque = 0): string {
  return reply(opcode, { status: Status.internalError, value: SENTENCE, opaque });
}

/** Runs a test on a store whose failures are thrown, and again where they come as rejections. */
function test(name: string, body: (store: FailingStore, harness: Harness) => Promise<void>): void {
  for (const rejects of [false, true]) {
    Deno.test(`a failing store (${rejects ? "rejects" : "throws"}): ${name}`, async () => {
      const store = new FailingStore(new AdjustableClock(), rejects);
      await using harness = new Harness({ store: () => store });
      await body(store, harness);
    });
  }
}

test("an error answers a meta command alone, also a quiet one", async (store, harness) => {
  store.failures.set("b", lost);
  assertEquals(
    await harness.exchange([
      "ms a 1\r\nx\r\nmg b v q\r\nms b 1 q O1\r\nx\r\nmd b q\r\nma b q\r\nme b\r\nmg b N0 q\r\nmg a v\r\nmn\r\n",
    ]),
    `HD\r\n${LINE.repeat(6)}VA 1\r\nx\r\nMN\r\n`,
  );
});

test("an error answers a frame alone, also a quiet one", async (store, harness) => {
  store.failures.set("b", lost);
  const { getQ, setQ, deleteQ, incrQ, appendQ, gatQ, noop } = Opcode;
  assertEquals(
    await harness.exchange([
      ask(Opcode.getK, { key: "b", opaque: 1 }) + ask(getQ, { key: "b", opaque: 2 }) +
      ask(setQ, { key: "b", extras, value: "x", opaque: 3 }) +
      ask(deleteQ, { key: "b", opaque: 4 }) +
      ask(incrQ, { key: "b", extras: counting(1n), opaque: 5 }) +
      ask(appendQ, { key: "b", value: "x", opaque: 6 }) +
      ask(gatQ, { key: "b", extras: u32(1), opaque: 7 }) + ask(noop, { opaque: 8 }),
    ]),
    failed(Opcode.getK, 1) + failed(getQ, 2) + failed(setQ, 3) + failed(deleteQ, 4) +
      failed(incrQ, 5) + failed(appendQ, 6) + failed(gatQ, 7) + reply(noop, { opaque: 8 }),
  );
});

test("no room is told in memcached's words in each dialect", async (store, harness) => {
  store.failures.set("b", new OutOfSpaceError("the disk is full"));
  assertEquals(
    await harness.exchange(["ms b 1 q\r\nx\r\nset b 0 0 1\r\nx\r\n"]),
    "SERVER_ERROR out of memory storing object\r\n".repeat(2),
  );
  const { set, setQ } = Opcode;
  assertEquals(
    await harness.exchange([
      ask(set, { key: "b", extras, value: "x", opaque: 1 }) +
      ask(setQ, { key: "b", extras, value: "x", opaque: 2 }),
    ]),
    failure(set, Status.outOfMemory, 1) + failure(setQ, Status.outOfMemory, 2),
  );
});

test(
  "a commit that fails is the answer to each meta command of the batch, also to quiet ones",
  async (store, harness) => {
    store.commitFailure = lost;
    const sent = [
      "ms a 1 q O1\r\nx\r\n",
      "mg a v q\r\n",
      "mg none q\r\n",
      "md a q\r\n",
      "ma a N0 q\r\n",
      "mg a k v\r\n",
      "mg k z\r\n",
      "ms a 2 z\r\nzz\r\n",
      "mn\r\n",
    ];
    assertEquals(await harness.exchange([sent.join("")]), LINE.repeat(sent.length));
  },
);

test(
  "a commit that fails is the answer to each frame of the batch, under its opcode and opaque",
  async (store, harness) => {
    store.commitFailure = lost;
    const key = "k";
    const asked: [opcode: number, sent: string][] = [
      [Opcode.setQ, ask(Opcode.setQ, { key, extras, value: "x", opaque: 0 })],
      [Opcode.get, ask(Opcode.get, { key, opaque: 1 })],
      [Opcode.getKQ, ask(Opcode.getKQ, { key: "none", opaque: 2 })],
      [Opcode.incrQ, ask(Opcode.incrQ, { key: "n", extras: counting(1n, 1n, 0), opaque: 3 })],
      [Opcode.deleteQ, ask(Opcode.deleteQ, { key, opaque: 4 })],
      [Opcode.flushQ, ask(Opcode.flushQ, { opaque: 5 })],
      [Opcode.version, ask(Opcode.version, { opaque: 6 })],
      [0x7f, ask(0x7f, { opaque: 7 })],
      [Opcode.stat, ask(Opcode.stat, { key: "sizes", opaque: 8 })],
      [Opcode.noop, ask(Opcode.noop, { opaque: 9 })],
      [Opcode.quit, ask(Opcode.quit, { opaque: 10 })],
    ];
    const socket = new ScriptedSocket([asked.map(([, sent]) => sent).join("")]);
    await harness.serve(socket);
    assertEquals(socket.written, asked.map(([opcode], opaque) => failed(opcode, opaque)).join(""));
    assertEquals(socket.closed, true);
  },
);

test("a commit that fails is told to noreply commands of no dialect", async (store, harness) => {
  store.commitFailure = lost;
  assertEquals(
    await harness.exchange([
      "set a 0 0 1 noreply\r\nx\r\ndelete a noreply\r\nincr a 1 noreply\r\nflush_all noreply\r\nnonsense noreply\r\n",
    ]),
    "",
  );
});

test(
  "a commit that fails is the answer to its batch alone, in each dialect",
  async (store, harness) => {
    const { setQ, get, noop } = Opcode;
    const cases = [
      ["ms a 1 q\r\nx\r\nmn\r\n", LINE + LINE, "mg a v\r\n", "VA 1\r\nx\r\n"],
      [
        ask(setQ, { key: "b", extras, value: "x", opaque: 1 }) + ask(noop),
        failed(setQ, 1) + failed(noop),
        ask(get, { key: "b" }),
        reply(get, { extras: u32(0), value: "x", cas: 2n }),
      ],
    ] as const;
    for (const [first, error, second, answer] of cases) {
      const socket = new ScriptedSocket([first, second]);
      const read = socket.read.bind(socket);
      store.commitFailure = lost;
      socket.read = (into) => {
        if (socket.written !== "") store.commitFailure = undefined;
        return read(into);
      };
      await harness.serve(socket);
      assertEquals(socket.written, error + answer);
    }
  },
);

test(
  "a commit that always fails is one error for each frame, whatever it asks",
  async (store, harness) => {
    store.commitFailure = lost;
    const opcodes = Object.values(Opcode).filter((opcode) =>
      opcode !== Opcode.quit && opcode !== Opcode.quitQ
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...opcodes), fc.nat()), { maxLength: 40 }),
        async (asked) => {
          const sent = asked.map(([opcode, opaque]) => requestOf(opcode, opaque)).join("");
          assertEquals(
            await harness.exchange([sent]),
            asked.map(([opcode, opaque]) => failed(opcode, opaque)).join(""),
          );
        },
      ),
      { numRuns: 50 },
    );
  },
);

test(
  "commits that fail now and then leave one reply to each request, in their order",
  async (store, harness) => {
    const large = "x".repeat(100_000);
    await harness.exchange([`set large 0 0 ${large.length}\r\n${large}\r\n`]);
    const commit = store.commit.bind(store);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("large", "none"), { minLength: 1, maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
        async (keys, fates) => {
          let commits = 0;
          store.commit = (batch) => {
            store.commitFailure = fates[commits++ % fates.length] ? lost : undefined;
            return commit(batch);
          };
          const lines = await harness.exchange([keys.map((key) => `mg ${key} v\r\n`).join("")]);
          assertEquals(lines.match(/^(VA|EN|SERVER_ERROR)/gm)?.length, keys.length);
          const frames = await harness.exchange([
            keys.map((key, opaque) => ask(Opcode.get, { key, opaque })).join(""),
          ]);
          assertEquals(opaquesIn(frames), keys.map((_, opaque) => opaque));
        },
      ),
      { numRuns: 60 },
    );
  },
);

/** The opaques of replies, in their order. */
function opaquesIn(frames: string): number[] {
  const { buffer } = bytesOfBinaryString(frames);
  const view = new DataView(buffer);
  const opaques: number[] = [];
  for (let at = 0; at < view.byteLength; at += 24 + view.getUint32(at + 8)) {
    opaques.push(view.getUint32(at + 12));
  }
  return opaques;
}

/** A request with what its opcode needs. */
function requestOf(opcode: number, opaque: number): string {
  const { get, getQ, getK, getKQ, delete: remove, deleteQ, append, appendQ, prepend, prependQ } =
    Opcode;
  const { set, setQ, add, addQ, replace, replaceQ, incr, incrQ, decr, decrQ } = Opcode;
  const { touch, gat, gatQ, gatK, gatKQ, saslAuth, saslStep } = Opcode;
  const has = (...opcodes: readonly number[]) => opcodes.includes(opcode);
  const key = "k";
  if (has(set, setQ, add, addQ, replace, replaceQ)) {
    return ask(opcode, { key, extras, value: "1", opaque });
  }
  if (has(append, appendQ, prepend, prependQ, saslAuth, saslStep)) {
    return ask(opcode, { key, value: "1", opaque });
  }
  if (has(incr, incrQ, decr, decrQ)) {
    return ask(opcode, { key, extras: counting(1n, 1n, 0), opaque });
  }
  if (has(touch, gat, gatQ, gatK, gatKQ)) return ask(opcode, { key, extras: u32(5), opaque });
  if (has(get, getQ, getK, getKQ, remove, deleteQ)) return ask(opcode, { key, opaque });
  return ask(opcode, { opaque });
}
