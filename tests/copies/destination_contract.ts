/**
 * What every destination is held to.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { type Destination, DestinationError, MissingError } from "../../lib/copies/destination.ts";
import { sourceOf } from "../../lib/copies/source.ts";
import { isSame, namesOf, noise, streamed } from "./sources.ts";

/** Where destinations are opened, and emptied at the end. */
export interface Places extends AsyncDisposable {
  /** A destination below a prefix of its own for each name; the same for the same name. */
  open(name: string): Promise<Destination>;
}

/** Whoever has a large object knows by these where blocks and parts of an upload end. */
const lengths = [0, 1, 65_536, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, (20 << 20) + 12_345];

/** @param why why it is skipped, if it is. */
export function testDestination(
  kind: string,
  begin: () => Promise<Places>,
  { ignore = false }: { readonly ignore?: boolean } = {},
): void {
  const test = (what: string, run: (destination: Destination, places: Places) => Promise<void>) =>
    Deno.test({
      name: `copies, ${kind}: ${what}`,
      ignore,
      fn: async () => {
        await using places = await begin();
        const destination = await places.open("one");
        try {
          await run(destination, places);
        } finally {
          await destination.close();
        }
      },
    });

  test("what was created is read as it was, whole and in blocks, of any length", async (d) => {
    for (const length of lengths) {
      const bytes = noise(length, length);
      const name = `pieces/${length}`;
      const created = await d.create(name, sourceOf(bytes));
      assert(created !== "exists", name);
      const found = await d.read(name);
      assert(isSame(found!.bytes, bytes), name);
      assertEquals(found!.generation, created.generation);
      assert(isSame(await streamed(d, name), bytes), name);
      for (const from of [1, length >> 1, length].filter((from) => from <= length)) {
        assert(isSame(await streamed(d, name, from), bytes.subarray(from)), `${name} ${from}`);
      }
    }
  });

  test("a block stays as it is until the next is asked for, whoever else streams", async (d) => {
    const bytes = noise(20 << 20);
    await d.create("k", sourceOf(bytes));
    const [one, other] = [d.stream("k"), d.stream("k")].map((it) => it[Symbol.asyncIterator]());
    let at = 0;
    for (let block; (block = (await one!.next()).value as Uint8Array | undefined) !== undefined;) {
      await other!.next();
      assert(isSame(block, bytes.subarray(at, at + block.length)));
      at += block.length;
    }
    await other!.return?.();
    assertEquals(at, bytes.length);
  });

  test("what is not there is undefined, and an error to who streams it", async (d) => {
    assertEquals(await d.read("k"), undefined);
    const error = await assertRejects(() => streamed(d, "k"), MissingError);
    assertEquals([error.retry, error.missing], [false, "k"]);
    assertEquals(await namesOf(d), []);
  });

  test("a name is created once, whatever its bytes", async (d) => {
    for (const length of [3, 9 << 20]) {
      const bytes = noise(length);
      const name = String(length);
      const created = await d.create(name, sourceOf(bytes));
      assert(created !== "exists");
      for (const other of [bytes, noise(length, 2), noise(7)]) {
        assertEquals(await d.create(name, sourceOf(other)), "exists");
      }
      const found = await d.read(name);
      assert(isSame(found!.bytes, bytes));
      assertEquals(found!.generation, created.generation);
    }
  });

  test("bytes that do not have their checksum are not stored, and neither are too few", async (d) => {
    for (const length of [10, 9 << 20]) {
      const source = sourceOf(noise(length));
      const damaged = { ...source, crc32c: source.crc32c ^ 1 };
      await assertRejects(() => d.create("k", damaged), DestinationError);
      const short = { ...source, length: length + 1 };
      await assertRejects(() => d.create("k", short), DestinationError);
      assertEquals(await d.read("k"), undefined);
      assertEquals(await namesOf(d), []);
    }
    assert(await d.create("k", sourceOf(noise(10))) !== "exists");
  });

  test("a replacement counts at the generation that it names, and at no other", async (d) => {
    assertEquals(await d.replace("head", bytesOf("0"), "1"), "changed");
    const one = await d.replace("head", bytesOf("1"), "");
    assert(one !== "changed");
    assertEquals(await d.replace("head", bytesOf("2"), ""), "changed");
    const two = await d.replace("head", bytesOf("2"), one.generation);
    assert(two !== "changed" && two.generation !== one.generation);
    assertEquals(await d.replace("head", bytesOf("3"), one.generation), "changed");
    assertEquals(await d.read("head"), { bytes: bytesOf("2"), generation: two.generation });
    // The same bytes again are another generation.
    const three = await d.replace("head", bytesOf("2"), two.generation);
    assert(three !== "changed" && three.generation !== two.generation);
    assertEquals(await d.remove("head", three.generation), "removed");
    assertEquals(await d.replace("head", bytesOf("4"), three.generation), "changed");
    assertEquals(await d.read("head"), undefined);
  });

  test("of those that replace one generation at the same time one succeeds", async (d, places) => {
    const other = await places.open("one");
    try {
      let generation = "";
      for (let round = 0; round < 5; round++) {
        const written = await Promise.all(
          [d, other, d, other].map((by, i) =>
            by.replace("head", bytesOf(`${round} ${i}`), generation)
          ),
        );
        const winners = written.flatMap((it, i) => it === "changed" ? [] : [{ ...it, i }]);
        assertEquals(winners.length, 1);
        generation = winners[0]!.generation;
        const bytes = bytesOf(`${round} ${winners[0]!.i}`);
        assertEquals(await other.read("head"), { bytes, generation });
      }
      const created = await Promise.all(
        [d, other, d, other].map((by, i) => by.create("k", sourceOf(bytesOf(String(i))))),
      );
      assertEquals(created.filter((it) => it !== "exists").length, 1);
    } finally {
      await other.close();
    }
  });

  test("what is removed is removed at its generation, and once it is gone it is removed", async (d) => {
    assertEquals(await d.remove("k", "1"), "removed");
    const one = await d.create("k", sourceOf(bytesOf("1")));
    assert(one !== "exists");
    const two = await d.replace("k", bytesOf("2"), one.generation);
    assert(two !== "changed");
    assertEquals(await d.remove("k", one.generation), "changed");
    assertEquals((await d.read("k"))!.bytes, bytesOf("2"));
    assertEquals(await d.remove("k", two.generation), "removed");
    assertEquals(await d.read("k"), undefined);
    assertEquals(await d.remove("k", two.generation), "removed");
    assert(await d.create("k", sourceOf(bytesOf("3"))) !== "exists");
  });

  test("a listing has a prefix and a beginning, and is in the order of bytes", async (d) => {
    const names = [
      "head",
      "manifests/000000000001-00000001-20261127T100000123Z",
      "manifests/000000000002-00000001-20261127T100010123Z",
      "pieces/00000001/0000000001-000000000000-000000000064-0000000a",
      "pieces/00000001/0000000001-000000000064-000000000100-0000000b",
      "pieces/00000002/0000000001-000000000064-000000000100-0000000b",
      "piecesOfWood",
    ];
    for (const [i, name] of names.toReversed().entries()) {
      await d.create(name, sourceOf(noise(i + 1)));
    }
    assertEquals(await namesOf(d), names);
    assertEquals(await namesOf(d, "manifests/"), names.slice(1, 3));
    assertEquals(await namesOf(d, "pieces/00000001/0000000001-"), names.slice(3, 5));
    assertEquals(await namesOf(d, "pieces"), names.slice(3));
    assertEquals(await namesOf(d, "none/"), []);
    assertEquals(await namesOf(d, "manifests/", names[1]), names.slice(2, 3));
    // The beginning need not be there.
    assertEquals(await namesOf(d, "pieces/", "pieces/00000001/1"), names.slice(5, 6));
    assertEquals(await namesOf(d, "", names.at(-1)), []);
    for await (const { name, size, generation, crc32c: sum } of d.list("")) {
      const found = await d.read(name);
      assertEquals([size, generation], [found!.bytes.length, found!.generation]);
      if (sum !== undefined) assertEquals(sum, crc32c(found!.bytes));
    }
  });

  test("destinations beside it are not seen, though their names begin alike", async (d, places) => {
    await d.create("k", sourceOf(bytesOf("1")));
    for (const name of ["on", "one2", "two"]) {
      const other = await places.open(name);
      try {
        assertEquals([await namesOf(other), await other.read("k")], [[], undefined]);
        assert(await other.create("k", sourceOf(bytesOf("2"))) !== "exists");
      } finally {
        await other.close();
      }
    }
    assertEquals((await d.read("k"))!.bytes, bytesOf("1"));
    assertEquals(await namesOf(d), ["k"]);
  });

  test("opened again it has what it had", async (d, places) => {
    const created = await d.create("a/b", sourceOf(bytesOf("1")));
    assert(created !== "exists");
    const again = await places.open("one");
    try {
      assertEquals(again.url, d.url);
      assertEquals(await again.read("a/b"), { bytes: bytesOf("1"), ...created });
    } finally {
      await again.close();
    }
  });
}
