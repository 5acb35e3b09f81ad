import { assertEquals, assertThrows } from "@std/assert";
import { addressText, parseAddress } from "../../lib/client/address.ts";

Deno.test("an address is a host with a port and a weight, or the path of a Unix socket", () => {
  const addresses = {
    "localhost": { host: "localhost", port: 11211, weight: 1 },
    "10.0.0.1:11212": { host: "10.0.0.1", port: 11212, weight: 1 },
    "cache:11212:3": { host: "cache", port: 11212, weight: 3 },
    "[::1]:11212": { host: "::1", port: 11212, weight: 1 },
    "[::1]": { host: "::1", port: 11211, weight: 1 },
    "unix:/run/kvs.sock": { host: "/run/kvs.sock", port: 0, weight: 1 },
    "/run/kvs.sock": { host: "/run/kvs.sock", port: 0, weight: 1 },
  };
  for (const [text, address] of Object.entries(addresses)) {
    assertEquals(parseAddress(text), address);
  }
  for (
    const text of [
      "",
      ":1",
      "a:",
      "a:0",
      "a:65536",
      "a:1:0",
      "a:1:1000000000",
      "::1",
      "a:b",
      "unix:x",
    ]
  ) {
    assertThrows(() => parseAddress(text), RangeError, `received '${text}'`);
  }
});

Deno.test("an address is shown as it is read, without its weight", () => {
  for (const text of ["localhost:11211", "[::1]:11212", "unix:/run/kvs.sock"]) {
    assertEquals(addressText(parseAddress(text)), text);
  }
  assertEquals(addressText(parseAddress("cache:1:3")), "cache:1");
});
