import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli";

Deno.test("an option takes the argument that follows it", () => {
  assertEquals(parseArgs(["--port", "1234"], { string: ["port"] }).port, "1234");
});
