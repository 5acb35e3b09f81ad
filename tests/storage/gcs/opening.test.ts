/** What can be wrong when the store is opened, and later with rights and credentials. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Exit, ExitError, StoreError } from "../../../lib/errors.ts";
import type { GcsStoreOptions } from "../../../lib/storage/gcs/mod.ts";
import { Account, allRights, guarded, testCredentials } from "./account.ts";
import * as commands from "./commands.ts";
import { Place, until } from "./open.ts";

async function refusal(place: Place, options: Partial<GcsStoreOptions>): Promise<ExitError> {
  return await assertRejects(() => place.store(options), ExitError);
}

Deno.test("gcs opening: wrong options are told by their names", async () => {
  await using place = await Place.open();
  const wrong: [Partial<GcsStoreOptions>, string][] = [
    [{ bucket: "gs://b" }, "--bucket"],
    [{ prefix: "a\nb" }, "--prefix"],
    [{ prefix: "x".repeat(272) }, "--prefix"],
    [{ endpoint: "localhost:4443" }, "--gcs-endpoint"],
  ];
  for (const [options, name] of wrong) {
    const { message, code } = await refusal(place, options);
    assert(message.startsWith(name), message);
    assertEquals(code, Exit.usage);
  }
});

Deno.test("gcs opening: a bucket that is not there is told by its name", async () => {
  await using place = await Place.open();
  const { message, code } = await refusal(place, { bucket: "elsewhere" });
  assertEquals(
    message,
    "The bucket 'elsewhere' is not there: The specified bucket does not exist.",
  );
  assertEquals(code, Exit.unavailable);
});

Deno.test("gcs opening: a service that does not answer is told in time, with what is wrong", async () => {
  await using place = await Place.open();
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const options = { endpoint: `http://127.0.0.1:${closed.addr.port}`, timeout: 500 };
  closed.close();
  const { message, code } = await refusal(place, options);
  assert(/did not answer in time: .*ECONNREFUSED/.test(message), message);
  assertEquals(code, Exit.unavailable);
  place.emulator.faults.add({ what: "stall" });
  assert((await refusal(place, { timeout: 500 })).message.includes("did not answer in time"));
});

Deno.test("gcs opening: prefixes keep caches in one bucket apart", async () => {
  await using place = await Place.open();
  const one = await place.store({ prefix: "one/" });
  const two = await place.store({ prefix: "été " });
  const bare = await place.store({ prefix: "" });
  for (const [i, store] of [one, two, bare].entries()) await commands.set(store, "k", `${i}`);
  for (const [i, store] of [one, two, bare].entries()) {
    assertEquals(await commands.get(store, "k"), `${i}`);
  }
  await one.flush(place.clock.now());
  assertEquals(await commands.get(one, "k"), undefined);
  assertEquals(await commands.get(two, "k"), "1");
});

testCredentials("gcs credentials: an account's are found, kept and renewed", async () => {
  await using place = await guarded(allRights);
  using _account = new Account(place);
  const store = await place.store();
  await commands.set(store, "k", "v");
  assertEquals(await commands.get(store, "k"), "v");
  assertEquals(place.emulator.auth!.issued, 1);
  place.emulator.auth!.revoke();
  assertEquals(await commands.get(store, "k"), "v");
  assertEquals(place.emulator.auth!.issued, 2);
});

testCredentials(
  "gcs credentials: without any, and with wrong ones, the line at start says so",
  async () => {
    await using place = await guarded(allRights);
    const { message } = await refusal(place, {});
    assert(
      message.startsWith("The bucket 'bucket' does not take the credentials: Anonymous"),
      message,
    );
    using _account = new Account(place, "stranger@project.iam.gserviceaccount.com");
    const stranger = await refusal(place, {});
    assert(
      stranger.message.startsWith("There are no Google credentials that work:"),
      stranger.message,
    );
    assertEquals(stranger.code, Exit.unavailable);
  },
);

testCredentials(
  "gcs credentials: a right that is missing is told at start or in the reply",
  async () => {
    {
      await using place = await guarded([]);
      using _account = new Account(place);
      const { message } = await refusal(place, {});
      assert(message.includes("roles/storage.objectUser"), message);
      assert(message.includes("does not have storage.objects.get access"), message);
    }
    await using place = await guarded(["storage.objects.get", "storage.objects.list"]);
    using _account = new Account(place);
    const store = await place.store();
    assertEquals(await commands.get(store, "k"), undefined);
    const error = await assertRejects(() => commands.set(store, "k", "v"), StoreError);
    assert(error.message.includes("does not have storage.objects.create access"), error.message);
  },
);

testCredentials(
  "gcs credentials: when they expire for good the reply says so, until they work again",
  async () => {
    await using place = await guarded(allRights, 1);
    using _account = new Account(place);
    const store = await place.store({ timeout: 2000 });
    await commands.set(store, "k", "v");
    place.emulator.auth!.suspended = true;
    place.emulator.auth!.revoke();
    const error = await assertRejects(() => commands.get(store, "k"), StoreError);
    assert(error.message.startsWith("There are no Google credentials that work:"), error.message);
    place.emulator.auth!.suspended = false;
    await until(async () => await commands.get(store, "k").catch(() => "") === "v");
  },
);
