import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { followDialectRules } from "../dialect_rules.ts";

Deno.test("disk dialects: every rule of the meta commands and of the binary protocol is kept", async () => {
  const directory = await Deno.makeTempDir();
  await followDialectRules((place, clock) =>
    openDiskStore({
      clock,
      log: () => {},
      directory: `${directory}/${place}`,
      memoryLimit: 8 * 2 ** 20,
      fsync: "no",
      maxDisk: 0,
      evict: false,
    })
  );
  await Deno.remove(directory, { recursive: true });
});
