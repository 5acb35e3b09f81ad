import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../lib/errors.ts";
import { Credentials } from "../../../lib/storage/google_credentials.ts";
import { MetadataServer, testWithMetadata } from "../metadata_server.ts";
import { sleep, until } from "./open.ts";

/** The credentials of a machine whose metadata server is this one, and what they logged. */
async function found() {
  const lines: string[] = [];
  const credentials = await Credentials.find((line) => lines.push(line));
  return { credentials, lines, [Symbol.dispose]: () => credentials.stop() };
}

testWithMetadata(
  "tokens: the one in use serves until it ends while the metadata server fails",
  undefined,
  async () => {
    // A quarter of it goes by before it is to be renewed; a slow machine has the rest.
    await using metadata = new MetadataServer({ lifetime: 20 });
    using of = await found();
    metadata.failing = true;
    await until(() => of.lines.length > 0);
    assert(
      of.lines[0].startsWith("Cannot renew Google's access token, which holds for "),
      of.lines[0],
    );
    assertEquals(await of.credentials.authorization(), "Bearer token-1");
    const asked = metadata.asked;
    // It goes on to ask by itself.
    await until(() => metadata.asked > asked);
    assertEquals(of.lines.length, 1, of.lines.join("\n"));
    metadata.renew();
    metadata.failing = false;
    await until(async () => await of.credentials.authorization() === "Bearer token-2");
    assertEquals(of.lines.slice(1), ["Google's access token can be renewed again"]);
  },
);

testWithMetadata(
  "tokens: one that has ended serves no longer, and the error says what failed",
  undefined,
  async () => {
    await using metadata = new MetadataServer({ lifetime: 1 });
    using of = await found();
    metadata.failing = true;
    await sleep(1100);
    const error = await assertRejects(async () => await of.credentials.authorization(), StoreError);
    assert(error.message.startsWith("There are no Google credentials that work: "), error.message);
    assert(error.message.length < 400, error.message);
  },
);

testWithMetadata(
  "tokens: the same one given out again is no failure, and the next is taken when it comes",
  undefined,
  async () => {
    await using metadata = new MetadataServer({ lifetime: 4 });
    using of = await found();
    let renewals = 0;
    of.credentials.onRenewal(() => renewals++);
    const asked = metadata.asked;
    await until(() => metadata.asked > asked);
    assertEquals([await of.credentials.authorization(), renewals], ["Bearer token-1", 0]);
    metadata.renew();
    await until(() => renewals === 1);
    assertEquals(await of.credentials.authorization(), "Bearer token-2");
    assertEquals(of.lines, []);
  },
);

testWithMetadata(
  "tokens: one that the service refuses is replaced once, however many requests it had",
  undefined,
  async () => {
    await using metadata = new MetadataServer({ lifetime: 3600 });
    using of = await found();
    const header = await of.credentials.authorization();
    metadata.renew();
    const asked = metadata.asked;
    const headers = await Promise.all(Array.from({ length: 20 }, async () => {
      of.credentials.refuse(header);
      return await of.credentials.authorization();
    }));
    assertEquals(new Set(headers), new Set(["Bearer token-2"]));
    of.credentials.refuse(header);
    assertEquals(await of.credentials.authorization(), "Bearer token-2");
    assertEquals(metadata.asked - asked, 1);
  },
);
