import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError, StoreError } from "../../lib/errors.ts";
import { frame } from "./frames.ts";
import { Harness, ScriptedSocket } from "./harness.ts";
import { FailingStore } from "./wrapped_store.ts";

const FAILURE = "SERVER_ERROR cannot reach the disk\r\n";
const failure = new StoreError("cannot reach the disk");

/** Runs a test on a store whose failures are thrown, and again where they come as rejections. */
function test(name: string, body: (store: FailingStore, harness: Harness) => Promise<void>): void {
  for (const rejects of [false, true]) {
    Deno.test(`a failing store (${rejects ? "rejects" : "throws"}): ${name}`, async () => {
      const clock = new AdjustableClock();
      const store = new FailingStore(clock, rejects);
      await using harness = new Harness({ clock, store: () => store });
      await harness.exchange(["set a 0 0 1\r\nA\r\nset b 0 0 1\r\nB\r\nset c 0 0 1\r\nC\r\n"]);
      await body(store, harness);
    });
  }
}

test("an error answers its request alone, in its place", async (store, harness) => {
  store.failures.set("b", failure);
  assertEquals(
    await harness.exchange(["get a\r\nget b\r\nset b 0 0 1\r\nx\r\nincr b 1\r\nget c\r\n"]),
    `VALUE a 0 1\r\nA\r\nEND\r\n${FAILURE.repeat(3)}VALUE c 0 1\r\nC\r\nEND\r\n`,
  );
});

const retrievals: [keys: string, replies: string][] = [
  ["b a c", ""],
  ["a b c", "VALUE a 0 1\r\nA\r\n"],
  ["a c b", "VALUE a 0 1\r\nA\r\nVALUE c 0 1\r\nC\r\n"],
  ["a b b c b", "VALUE a 0 1\r\nA\r\n"],
  ["none b", ""],
];
for (const [keys, values] of retrievals) {
  test(`an error in 'get ${keys}' ends it, and nothing follows`, async (store, harness) => {
    store.failures.set("b", failure);
    assertEquals(
      await harness.exchange([`get ${keys}\r\nversion\r\ngat 0 ${keys}\r\nget a\r\n`]),
      `${values}${FAILURE}VERSION 1.6.45-kvs-test\r\n${values}${FAILURE}VALUE a 0 1\r\nA\r\nEND\r\n`,
    );
  });
}

test("noreply hides an error too", async (store, harness) => {
  store.failures.set("b", failure);
  assertEquals(
    await harness.exchange([
      "set b 0 0 1 noreply\r\nx\r\ndelete b noreply\r\nincr b 1 noreply\r\nget a\r\n",
    ]),
    "VALUE a 0 1\r\nA\r\nEND\r\n",
  );
});

test("no room is told in memcached's words, and counted", async (store, harness) => {
  store.failures.set("b", new OutOfSpaceError("the disk is full"));
  assertEquals(
    await harness.exchange(["set b 0 0 1\r\nx\r\n"]),
    "SERVER_ERROR out of memory storing object\r\n",
  );
  assertEquals(harness.context.counters.store_no_memory, 1);
});

test(
  "what is no error of the store is told to the operator, not to the client",
  async (store, harness) => {
    store.failures.set("b", new TypeError("x is undefined"));
    assertEquals(await harness.exchange(["get b\r\n"]), "SERVER_ERROR internal error\r\n");
    assertEquals(harness.said.length, 1);
    assertEquals(harness.said[0].startsWith("internal error: TypeError: x is undefined"), true);
  },
);

test("a commit that fails is the answer to each request of the batch", async (store, harness) => {
  store.commitFailure = failure;
  assertEquals(
    await harness.exchange([
      "set a 0 0 1\r\nx\r\nget a b c\r\nset b 0 0 1 noreply\r\nx\r\nnonsense\r\ndelete c noreply\r\n" +
      "get none\r\nversion\r\n",
    ]),
    FAILURE.repeat(5),
  );
});

test("a commit that fails is the answer to its batch alone", async (store, harness) => {
  const socket = new ScriptedSocket(["set a 0 0 1\r\nx\r\nget a\r\n", "get a\r\n"]);
  const read = socket.read.bind(socket);
  store.commitFailure = failure;
  socket.read = (into) => {
    if (socket.written !== "") store.commitFailure = undefined;
    return read(into);
  };
  await harness.serve(socket);
  assertEquals(socket.written, `${FAILURE}${FAILURE}VALUE a 0 1\r\nx\r\nEND\r\n`);
});

test("a commit that fails in the middle of a get ends the get once", async (store, harness) => {
  const large = "x".repeat(200_000);
  for (const key of ["a", "b", "c", "d", "e"]) {
    await harness.exchange([`set ${key} 0 0 ${large.length}\r\n${large}\r\n`]);
  }
  const value = (key: string) => `VALUE ${key} 0 ${large.length}\r\n${large}\r\n`;
  // Two values reach the size at which replies are sent; the third commit is the one that fails.
  const done = store.commits;
  const commit = store.commit.bind(store);
  store.commit = (batch) => {
    store.commitFailure = store.commits === done + 1 ? failure : undefined;
    return commit(batch);
  };
  assertEquals(
    await harness.exchange(["get a b c d e\r\nget a none\r\nversion\r\n"]),
    `${value("a")}${value("b")}${FAILURE}${value("a")}END\r\nVERSION 1.6.45-kvs-test\r\n`,
  );
});

test(
  "a commit that always fails is an error for each request that is answered",
  async (store, harness) => {
    store.commitFailure = failure;
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame, { maxLength: 50 }),
        async (frames) => {
          const answered = frames.filter((sent) => !/^[^\r]* noreply\r/.test(sent)).length;
          assertEquals(await harness.exchange([frames.join("")]), FAILURE.repeat(answered));
        },
      ),
      { numRuns: 50 },
    );
  },
);

test(
  "a listing that fails ends with the error, and the connection goes on",
  async (store, harness) => {
    store.scan = async function* () {
      yield [];
      await Promise.resolve();
      throw failure;
    };
    assertEquals(
      await harness.exchange([
        "lru_crawler metadump all\r\n",
        "stats cachedump 1 0\r\n",
        "get a\r\n",
      ]),
      `${FAILURE}${FAILURE}VALUE a 0 1\r\nA\r\nEND\r\n`,
    );
  },
);

test(
  "a listing that fails in the middle shows what it had, and ends with the error",
  async (store, harness) => {
    const scan = store.scan.bind(store);
    store.scan = async function* () {
      yield* scan();
      throw failure;
    };
    const reply = await harness.exchange(["lru_crawler mgdump all\r\n", "get a\r\n"]);
    // The keys come in the order of the index.
    assertEquals(reply.match(/^mg \w\r$/gm)?.sort(), ["mg a\r", "mg b\r", "mg c\r"]);
    assertEquals(
      reply.replaceAll(/^mg \w\r\n/gm, ""),
      `OK\r\n${FAILURE}VALUE a 0 1\r\nA\r\nEND\r\n`,
    );
  },
);

test("a listing is not shown before what it shows is safe", async (store, harness) => {
  store.commitFailure = failure;
  const sent = "set d 0 0 1 noreply\r\nx\r\nlru_crawler mgdump all\r\n";
  assertEquals(await harness.exchange([sent]), FAILURE);
});
