/** Clients that we did not write get along with the emulator. */

import { assert, assertEquals } from "@std/assert";
import { Storage } from "@google-cloud/storage";
import { Emulator } from "./mod.ts";

Deno.test({
  name: "emulator: @google-cloud/storage saves, reads, lists, describes and deletes",
  // The library's agents keep connections and timers of their own.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using emulator = await Emulator.start();
    const storage = new Storage({
      apiEndpoint: emulator.endpoint,
      projectId: "project",
      useAuthWithCustomEndpoint: false,
    });
    const bucket = storage.bucket("bucket");
    assertEquals((await bucket.exists())[0], true);
    const file = bucket.file("a/b");
    const preconditionOpts = { ifGenerationMatch: 0 };
    await file.save("hello", { resumable: false, preconditionOpts });
    assertEquals(String((await file.download())[0]), "hello");
    await file.setMetadata({ metadata: { flags: "7" } });
    assertEquals((await file.getMetadata())[0].metadata, { flags: "7" });
    const big = new Uint8Array(6 << 20).fill(7);
    await bucket.file("a/big").save(big, { resumable: true });
    assertEquals((await bucket.file("a/big").download())[0].length, big.length);
    const [files] = await bucket.getFiles({ prefix: "a/" });
    assertEquals(files.map(({ name }) => name), ["a/b", "a/big"]);
    await file.delete();
    assertEquals((await file.exists())[0], false);
  },
});

const decoder = new TextDecoder();

async function hasGcloud(): Promise<boolean> {
  try {
    return (await new Deno.Command("gcloud", { args: ["--version"], stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

const found = await hasGcloud();

Deno.test({
  name: `emulator: gcloud storage copies, lists, shows and removes${
    found ? "" : " (skipped: gcloud is not installed)"
  }`,
  ignore: !found,
  fn: async () => {
    await using emulator = await Emulator.start();
    const directory = await Deno.makeTempDir();
    const gcloud = async (...args: string[]) => {
      const { success, stdout, stderr } = await new Deno.Command("gcloud", {
        args: ["storage", ...args],
        env: {
          CLOUDSDK_CONFIG: `${directory}/config`,
          CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${emulator.endpoint}/storage/v1/`,
          CLOUDSDK_AUTH_DISABLE_CREDENTIALS: "true",
          CLOUDSDK_CORE_DISABLE_PROMPTS: "true",
          CLOUDSDK_CORE_PROJECT: "project",
        },
      }).output();
      return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    };
    try {
      await Deno.writeTextFile(`${directory}/file`, "hello");
      await Deno.writeFile(`${directory}/big`, new Uint8Array(9 << 20).fill(7));
      const copied = await gcloud("cp", `${directory}/file`, `${directory}/big`, "gs://bucket/a/");
      assert(copied.success, copied.stderr);
      assertEquals(
        (await gcloud("ls", "gs://bucket/a/")).stdout,
        "gs://bucket/a/big\ngs://bucket/a/file\n",
      );
      assertEquals((await gcloud("cat", "gs://bucket/a/file")).stdout, "hello");
      assert((await gcloud("cp", "gs://bucket/a/big", `${directory}/back`)).success);
      assertEquals((await Deno.stat(`${directory}/back`)).size, 9 << 20);
      assert((await gcloud("rm", "gs://bucket/a/file")).success);
      assertEquals(emulator.bucket().size, 1);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
