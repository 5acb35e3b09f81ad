import { assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { parseAddress } from "../../lib/client/address.ts";
import { Client } from "../../lib/client/client.ts";
import { Connection } from "../../lib/client/connection.ts";
import {
  RequestError,
  ServerError,
  TimeoutError,
  UnreachableError,
  UnreadableError,
} from "../../lib/client/errors.ts";

/** A server that answers what it reads as `answer` says, and hangs up where that says null. */
function listen(answer: (read: string, connection: number) => string | null) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const reads: string[] = [];
  const sockets: Deno.Conn[] = [];
  const served = (async () => {
    for await (const socket of listener) {
      const connection = sockets.push(socket);
      void serve(socket, connection);
    }
  })();
  async function serve(socket: Deno.Conn, connection: number) {
    const memory = new Uint8Array(65536);
    try {
      for (let n = await socket.read(memory); n !== null; n = await socket.read(memory)) {
        const read = new TextDecoder().decode(memory.subarray(0, n));
        reads.push(read);
        const reply = answer(read, connection);
        if (reply === null) return socket.close();
        await socket.write(bytesOf(reply));
      }
    } catch {
      // The test has closed it.
    }
  }
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    reads,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
      for (const socket of sockets) {
        try {
          socket.close();
        } catch {
          // It is closed already.
        }
      }
    },
  };
}

const version = (connection: Connection) =>
  connection.request((requests, out, opaque) => requests.version(out, opaque));

Deno.test("requests made in one turn leave in one write and get their replies in order", async () => {
  await using server = listen((read) =>
    read.split("\r\n").slice(0, -1).map((line) => line.replace("get", "VERSION") + "\r\n").join("")
  );
  using connection = new Connection(parseAddress(server.address));
  const asked = Array.from(
    { length: 100 },
    (_, i) => connection.line(`get ${i}`, "line"),
  );
  assertEquals(connection.inFlight, 100);
  const replies = await Promise.all(asked);
  assertEquals(
    replies,
    Array.from({ length: 100 }, (_, i) => ({ kind: "line", line: `VERSION ${i}` })),
  );
  assertEquals(server.reads.length, 1);
});

Deno.test("a reply that does not come in time ends the connection, and no later one is mistaken", async () => {
  await using server = listen((_, connection) => connection === 1 ? "" : "VERSION 2\r\n");
  using client = new Client({ servers: [server.address], timeout: 20 });
  const late = client.version();
  const behind = client.get("k");
  await assertRejects(() => late, TimeoutError, `no reply from ${server.address} within 20 ms`);
  await assertRejects(() => behind, TimeoutError);
  assertEquals(await client.version(), new Map([[server.address, "2"]]));
});

Deno.test("a client may have patience for ever", async () => {
  await using server = listen(() => "VERSION 1\r\n");
  for (const timeout of [2 ** 40, Infinity]) {
    using connection = new Connection(parseAddress(server.address), { timeout });
    await version(connection);
  }
});

Deno.test("when the server hangs up, what is in flight is rejected and the next request goes on a new connection", async () => {
  await using server = listen((_, connection) => connection === 1 ? null : "VERSION 2\r\n");
  using client = new Client({ servers: [server.address] });
  await assertRejects(
    () => client.version(),
    UnreachableError,
    `${server.address} closed the connection`,
  );
  assertEquals(await client.version(), new Map([[server.address, "2"]]));
  assertEquals(server.reads.length, 2);
});

Deno.test("a server that is not there is unreachable, again and again", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  using client = new Client({ servers: [address] });
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => client.get("k"), UnreachableError, `cannot reach ${address}: `);
  }
});

Deno.test("a server that speaks something else is given up", async () => {
  await using server = listen(() => "HTTP/1.1 400 Bad Request\r\n\r\n");
  using connection = new Connection(parseAddress(server.address));
  await assertRejects(
    () => connection.line("get k", "values"),
    UnreachableError,
    `does not speak memcached: the line "HTTP/1.1 400 Bad Request"`,
  );
  await assertRejects(() => version(connection), UnreachableError);
});

Deno.test("a value of another key is no answer, and ends the connection", async () => {
  await using server = listen((_, connection) =>
    `VALUE ${connection === 1 ? "other" : "\xe9"} 0 1\r\nv\r\nEND\r\n`
  );
  using client = new Client({ servers: [server.address] });
  await assertRejects(() => client.get("key"), UnreadableError, "a get brought another key");
  assertEquals((await client.get("\xe9"))?.text, "v");
  assertEquals((await client.get(bytesOf("\xe9")))?.text, "v");
});

Deno.test("a reply that nobody asked for ends the connection", async () => {
  await using server = listen(() => "VERSION 1\r\nVERSION 2\r\n");
  using connection = new Connection(parseAddress(server.address));
  await version(connection);
  await assertRejects(() => version(connection), UnreachableError, "nobody asked for");
});

Deno.test("a closed connection rejects what is in flight and what comes after", async () => {
  await using server = listen(() => "");
  const connection = new Connection(parseAddress(server.address));
  const inFlight = version(connection);
  connection.close();
  await assertRejects(() => inFlight, UnreachableError, "was closed");
  await assertRejects(() => version(connection), UnreachableError, "was closed");
});

Deno.test("who sends ready frames gets each reply without a promise", async () => {
  await using server = listen((read) => "STORED\r\n".repeat(read.split("\r\n").length - 1));
  using connection = new Connection(parseAddress(server.address));
  const frame = bytesOf("x\r\n");
  let replies = 0;
  await new Promise<void>((resolve, reject) => {
    const waiting = {
      expect: "stored" as const,
      opaque: 0,
      resolve: () => ++replies === 1000 ? resolve() : replies <= 990 && send(),
      reject,
    };
    const send = () => connection.send(frame, waiting);
    for (let i = 0; i < 10; i++) send();
  });
  assertEquals(replies, 1000);
  assertEquals(connection.inFlight, 0);
});

Deno.test("where metadump takes no hash, it is asked for all", async () => {
  await using server = listen((read) =>
    read === "lru_crawler metadump all\r\n"
      ? "key=a exp=-1\nEND\r\n"
      : "BADCLASS invalid class id\r\n"
  );
  using client = new Client({ servers: [server.address] });
  const keys = (await Array.fromAsync(client.keys())).flat();
  assertEquals(keys, [{ key: bytesOf("a"), expires: 0, size: 2 ** 20 }]);
});

Deno.test("a server that is busy with another listing is asked again, and is not asked for ever", async () => {
  let asked = 0;
  await using server = listen(() =>
    ++asked < 3 ? "BUSY currently processing crawler request\r\n" : "key=a exp=-1\r\nEND\r\n"
  );
  using client = new Client({ servers: [server.address] });
  assertEquals((await Array.fromAsync(client.keys())).flat().length, 1);
  await using busy = listen(() => "BUSY currently processing crawler request\r\n");
  using impatient = new Client({ servers: [busy.address], timeout: 100 });
  await assertRejects(() => Array.fromAsync(impatient.keys()), RequestError, "BUSY");
});

Deno.test("where keys may not be listed, the server's word for it is the error", async () => {
  await using server = listen(() => "ERROR metadump not allowed\r\n");
  using client = new Client({ servers: [server.address] });
  await assertRejects(
    () => Array.fromAsync(client.keys()),
    RequestError,
    "ERROR metadump not allowed",
  );
});

Deno.test("a listing that is none is refused, whatever a server says", async () => {
  const lines = [`key=${"x".repeat(251)} exp=-1`, "key=%4 exp=-1", "key=%zz exp=1", "key=a", "a b"];
  for (const line of lines) {
    await using server = listen(() => `${line}\nEND\r\n`);
    using client = new Client({ servers: [server.address] });
    await assertRejects(
      () => Array.fromAsync(client.keys()),
      UnreadableError,
      " sent a line that is none of a metadump: ",
    );
  }
});

Deno.test("where metadump is unknown, keys are listed class by class", async () => {
  await using server = listen((read) => {
    if (read.startsWith("lru_crawler")) return "ERROR\r\n";
    if (read === "stats items\r\n") {
      return "STAT items:1:number 1\r\nSTAT items:1:age 2\r\nSTAT items:5:number 1\r\nEND\r\n";
    }
    return `ITEM é key${read.split(" ")[2]} [1 b; 1700000000 s]\r\nEND\r\n`;
  });
  using client = new Client({ servers: [server.address] });
  const keys: string[] = [];
  for await (const entries of client.keys()) {
    keys.push(...entries.map(({ key, expires }) => `${new TextDecoder().decode(key)} ${expires}`));
  }
  assertEquals(keys, ["é key1 1700000000", "é key5 1700000000"]);
});

Deno.test("where the crawler is disabled keys are listed by class, and what is missing is told after them", async () => {
  await using server = listen((read) => {
    if (read.startsWith("lru_crawler")) return "CLIENT_ERROR lru crawler disabled\r\n";
    if (read === "stats items\r\n") return "STAT items:1:number 3\r\nEND\r\n";
    return "ITEM key [1 b; 0 s]\r\nEND\r\n";
  });
  using client = new Client({ servers: [server.address] });
  const keys: string[] = [];
  await assertRejects(
    async () => {
      for await (const entries of client.keys()) {
        keys.push(...entries.map(({ key }) => new TextDecoder().decode(key)));
      }
    },
    ServerError,
    "does not list 2 of its items; after 'lru_crawler enable' it lists all",
  );
  assertEquals(keys, ["key"]);
});

Deno.test("a value is not sent by meta commands to a server that has none", async () => {
  await using server = listen(() => "ERROR\r\n");
  using client = new Client({ servers: [server.address], anyKeys: true });
  await assertRejects(
    () => client.set("a b", "flush_all"),
    RequestError,
    "this needs meta commands, which the server does not know (ERROR)",
  );
  assertEquals(server.reads, ["mn\r\n"]);
});
