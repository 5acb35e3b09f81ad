import { assert, assertEquals } from "@std/assert";
import { Handshakes } from "../../lib/net/tls/handshakes.ts";
import { makeCertificate } from "../certificates.ts";

Deno.test("of too many handshakes the oldest makes room, and one that has ended counts no more", () => {
  const closed: string[] = [];
  const handshakes = new Handshakes(() => {}, { most: 2 });
  const begin = (name: string) => handshakes.begin(() => void closed.push(name));
  const first = begin("first");
  begin("second");
  first.end();
  begin("third");
  assertEquals([closed, handshakes.size], [[], 2]);
  begin("fourth");
  assertEquals([closed, handshakes.size], [["second"], 2]);
  handshakes.close();
  assertEquals([closed, handshakes.size], [["second", "third", "fourth"], 0]);
});

Deno.test("a handshake that takes too long is closed, one that has ended is not", async () => {
  const handshakes = new Handshakes(() => {}, { longest: 1 });
  const late = Promise.withResolvers<string>();
  handshakes.begin(() => late.resolve("ended")).end();
  handshakes.begin(() => late.resolve("late"));
  assertEquals(await late.promise, "late");
  assertEquals(handshakes.size, 0);
});

Deno.test("a handshake that has failed leaves nothing behind at a listener that asks for certificates", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    const script = new URL("failed_handshakes.ts", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script, directory, "500"],
    }).output();
    const bytes = Number(new TextDecoder().decode(stdout));
    // The socket with its TLS is 7 KB of the heap, and three times as much beside it.
    assert(bytes < 1000, `${bytes} bytes each ${new TextDecoder().decode(stderr)}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
