import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { binaryString, bytesOfBinaryString } from "../../../lib/bytes.ts";
import { type Answer, ResponseReader } from "../../../lib/storage/gcs/response.ts";

/** Gives the reader pieces of at most these lengths, which count round and round; an answer, or nothing. */
function feed(
  reader: ResponseReader,
  sent: string,
  lengths: readonly number[] = [Infinity],
): Answer | undefined {
  let rest = bytesOfBinaryString(sent);
  for (let i = 0; rest.length > 0; i++) {
    const room = reader.room();
    const count = Math.min(rest.length, room.length, lengths[i % lengths.length]);
    room.set(rest.subarray(0, count));
    rest = rest.subarray(count);
    const answer = reader.added(count);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function partsOf({ status, headers, body }: Answer) {
  return { status, headers: Object.fromEntries(headers), body: binaryString(body) };
}

const answers: Record<string, { sent: string; is: ReturnType<typeof partsOf> }> = {
  "with a length": {
    sent: "HTTP/1.1 200 OK\r\nX-Goog-Meta-Flags: 7\r\ncontent-length: 9\r\n\r\nab\r\n\r\ncd\0",
    is: {
      status: 200,
      headers: { "x-goog-meta-flags": "7", "content-length": "9" },
      body: "ab\r\n\r\ncd\0",
    },
  },
  "longer than a read": {
    sent: `HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${"x".repeat(100_000)}`,
    is: { status: 200, headers: { "content-length": "100000" }, body: "x".repeat(100_000) },
  },
  "in chunks": {
    sent: "HTTP/1.1 412 Precondition Failed\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `2\r\n\r\n\r\nA;note=1\r\n0123456789\r\n4e20\r\n${"y".repeat(20_000)}\r\n` +
      "0\r\nx-trailer: 1\r\n\r\n",
    is: {
      status: 412,
      headers: { "transfer-encoding": "chunked" },
      body: `\r\n0123456789${"y".repeat(20_000)}`,
    },
  },
  "with no content": {
    sent: "HTTP/1.1 204 No Content\r\nserver: UploadServer\r\n\r\n",
    is: { status: 204, headers: { server: "UploadServer" }, body: "" },
  },
  "after interim ones": {
    sent: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" +
      "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
    is: { status: 200, headers: { "content-length": "0" }, body: "" },
  },
};

for (const [name, { sent, is }] of Object.entries(answers)) {
  Deno.test(`gcs response: an answer ${name} is the same in any pieces, again and again`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 8 }),
        (lengths) => {
          const reader = new ResponseReader();
          for (let i = 0; i < 2; i++) {
            assertEquals(partsOf(feed(reader, sent, lengths)!), is);
            assertEquals(reader.keepsAlive, true);
          }
        },
      ),
      { numRuns: 30 },
    );
    const reader = new ResponseReader();
    for (let end = 1; end < Math.min(sent.length, 300); end++) {
      assertEquals(feed(reader, sent[end - 1]), undefined, `${end} bytes`);
    }
  });
}

Deno.test("gcs response: an answer without a length ends with the connection", () => {
  const reader = new ResponseReader();
  assertEquals(feed(reader, "HTTP/1.1 200 OK\r\n\r\nall of"), undefined);
  assertEquals(feed(reader, " it"), undefined);
  assertEquals(partsOf(reader.ended()!), { status: 200, headers: {}, body: "all of it" });
  assertEquals(reader.keepsAlive, false);
});

Deno.test("gcs response: what is cut off is no answer", () => {
  const cut = [
    "",
    "HTTP/1.1 200 OK\r\ncontent-le",
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
  ];
  for (const sent of cut) {
    const reader = new ResponseReader();
    assertEquals(feed(reader, sent), undefined);
    assertEquals(reader.ended(), undefined, sent);
  }
});

Deno.test("gcs response: says when the connection takes no other request", () => {
  const last = [
    "HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nnot asked for",
  ];
  for (const sent of last) {
    const reader = new ResponseReader();
    assertEquals(feed(reader, sent)!.status, 200);
    assertEquals(reader.keepsAlive, false, sent);
  }
});

Deno.test("gcs response: what is not HTTP/1.1 is an error", () => {
  const wrong = [
    "SSH-2.0-OpenSSH\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 1e9\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nlength\r\n",
    "x".repeat(600_000),
  ];
  for (const sent of wrong) assertThrows(() => feed(new ResponseReader(), sent), Error, "answer");
});
