import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { followMetaRules } from "../meta_rules.ts";

Deno.test("disk meta: every rule of the meta commands is kept", async () => {
  const directory = await Deno.makeTempDir();
  await followMetaRules((place, clock) =>
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
