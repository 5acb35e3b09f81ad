/** Segments that are restored in other threads. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { machineClock } from "../../../lib/copies/copy_clock.ts";
import { MissingError } from "../../../lib/copies/destination.ts";
import { systemFiles } from "../../../lib/copies/disk_files.ts";
import { copyDirectoryOnce } from "../../../lib/copies/once.ts";
import { openDestination } from "../../../lib/copies/open.ts";
import { pieceName } from "../../../lib/copies/names.ts";
import { BrokenCopyError } from "../../../lib/copies/read_back.ts";
import { Readers } from "../../../lib/server/copies/readers.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { segmentName } from "../../../lib/storage/disk/log/segment.ts";
import { callerOf } from "../../storage/caller.ts";
import { itemOf } from "../../storage/contract.ts";

Deno.test("segments are restored by several threads as by one, and what is wrong is told as what it is", async () => {
  const root = await Deno.makeTempDir({ prefix: "kvs-readers-" });
  const store = await callerOf(openDiskStore({
    ...{ directory: `${root}/data`, clock: systemClock, memoryLimit: 0, fsync: "no" },
    ...{ segmentBytes: 4096, log: () => {} },
  }));
  for (let i = 0; i < 100; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf(`${i}`.padEnd(300)));
    await store.commit();
  }
  await store.close();
  const destination = await openDestination(`file://${root}/copies`);
  const { manifest } = await copyDirectoryOnce({
    ...{ destination, place: destination, directory: `${root}/data`, by: "test" },
    ...{ retention: 0, lease: 30_000, held: 1 << 30, files: systemFiles, clock: machineClock },
    say: () => {},
  });
  const { hashKey, segments } = manifest!;
  assert(segments.length > 5);
  const directory = `${root}/restored`;
  await Deno.mkdir(directory);
  const readers = new Readers(destination, undefined);
  const read = (segment: typeof segments[number], isThere = false) =>
    readers.restore({ directory, hashKey, segment, isThere }, (bytes) => advanced += bytes);
  const verify = (segment: typeof segments[number]) =>
    readers.verify({ hashKey, segment }, (bytes) => advanced += bytes);
  let advanced = 0;
  try {
    const reports = await Promise.all(segments.map((segment) => read(segment)));
    assert(reports.every(({ records }) => records > 0));
    assertEquals(advanced, segments.reduce((sum, { length }) => sum + length, 0));
    for (const { id } of segments) {
      const name = segmentName(id);
      const [was, is] = ["data", "restored"].map((at) =>
        Deno.readFileSync(`${root}/${at}/${name}`)
      );
      assertEquals(is, was);
    }
    advanced = 0;
    assertEquals(await Promise.all(segments.map(verify)), reports);
    assertEquals(advanced, segments.reduce((sum, { length }) => sum + length, 0));
    const [first, second, third] = segments as [typeof segments[0], ...typeof segments];
    assertEquals((await read(first, true)).kept, first.length);
    const pathOf = ({ pieces }: typeof first) => `${root}/copies/${pieceName(pieces[0]!)}`;
    await Deno.remove(pathOf(second!));
    await Deno.remove(`${directory}/${segmentName(second!.id)}`);
    assertEquals(
      (await assertRejects(() => read(second!), MissingError)).missing,
      pieceName(second!.pieces[0]!),
    );
    await assertRejects(() => verify(second!), MissingError);
    const damaged = await Deno.readFile(pathOf(third!));
    damaged[100] ^= 1;
    await Deno.writeFile(pathOf(third!), damaged);
    await Deno.remove(`${directory}/${segmentName(third!.id)}`);
    await assertRejects(() => read(third!), BrokenCopyError);
    await assertRejects(() => verify(third!), BrokenCopyError);
    // A file that is in the way is the system's error, with its code.
    const inTheWay = await assertRejects(() => read(first)) as Error & { code?: string };
    assertEquals(inTheWay.code, "EEXIST");
  } finally {
    await readers.end();
    await destination.close();
    await Deno.remove(root, { recursive: true });
  }
});
