/** Contents of a bucket as they come. */

import { assertEquals } from "@std/assert";
import { Content, Watch } from "../../lib/copies/bucket_content.ts";
import { Deadlines } from "../../lib/storage/gcs/deadlines.ts";

/** A body of some pieces, all of which have come. */
function come(...pieces: Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece.slice());
      controller.close();
    },
  });
}

Deno.test("copies: a content that has come whole before anybody reads it is read whole", async () => {
  const deadlines = new Deadlines();
  try {
    for (const lengths of [[1], [128], [100, 28], [300_000], [200_000, 200_000, 1]]) {
      const pieces = lengths.map((length) =>
        new Uint8Array(length).map((_, i) => i * length & 0xff)
      );
      const content = new Content(come(...pieces), new Watch(deadlines, 60_000));
      const found: number[] = [];
      for (let block; (block = await content.next()) !== undefined;) {
        for (const byte of block) found.push(byte);
      }
      assertEquals(found, pieces.flatMap((piece) => [...piece]));
      assertEquals(await content.next(), undefined);
    }
  } finally {
    deadlines.end();
  }
});
