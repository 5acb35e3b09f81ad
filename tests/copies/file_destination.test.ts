import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { openFileDestination } from "../../lib/copies/file_destination.ts";

/** A directory for copies. */
class Place implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "kvs-copies-" });

  open() {
    return openFileDestination(`file://${this.path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

Deno.test("copies in a directory: each replacement of a name has a later time than the one before, also when the clock was set back", async () => {
  await using place = await Promise.resolve(new Place());
  const destination = await place.open();
  const path = `${place.path}/head`;
  let { generation } = await destination.replace("head", bytesOf("0"), "") as {
    generation: string;
  };
  // As the clock had it before it was set back by a day.
  const ahead = new Date(Date.now() + 86_400_000);
  await Deno.utime(path, ahead, ahead);
  generation = (await destination.read("head"))!.generation;
  const generations = new Set([generation]);
  let before = Deno.statSync(path).mtime!.getTime();
  for (let i = 1; i <= 50; i++) {
    const replaced = await destination.replace("head", bytesOf(`${i}`), generation);
    assert(replaced !== "changed", `${i}`);
    const time = Deno.statSync(path).mtime!.getTime();
    assert(time > before, `${i}: ${time} after ${before}`);
    before = time;
    generation = replaced.generation;
    generations.add(generation);
  }
  assertEquals(generations.size, 51);
});

Deno.test("copies in a directory: what another process is just giving its name keeps nobody from opening it", async () => {
  await using place = await Promise.resolve(new Place());
  await place.open();
  // The name is listed, and its file is not there any more.
  await Deno.symlink(`${place.path}/gone`, `${place.path}/.new/1-x-1`);
  const destination = await place.open();
  assertEquals(await destination.read("head"), undefined);
});
