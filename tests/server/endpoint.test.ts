import { assertEquals, assertThrows } from "@std/assert";
import { ExitError } from "../../lib/errors.ts";
import { type Endpoint, readEndpoints } from "../../lib/server/endpoint.ts";

const defaults = { port: 11211, protocol: "auto", tls: false } as const;

const endpoints: [text: string, endpoint: Partial<Endpoint>][] = [
  ["10.0.0.1", { host: "10.0.0.1" }],
  ["10.0.0.1:1", { host: "10.0.0.1", port: 1 }],
  ["host:-1", { host: "host", port: 0 }],
  ["::", { host: "::" }],
  ["fe80::1:2", { host: "fe80::1:2" }],
  ["[::1]", { host: "::1" }],
  ["[::1]:12", { host: "::1", port: 12 }],
  ["*", { host: undefined }],
  ["*:12", { host: undefined, port: 12 }],
  ["proto[ascii]:10.0.0.1", { host: "10.0.0.1", protocol: "ascii" }],
  ["proto[binary]:[::]:5", { host: "::", port: 5, protocol: "binary" }],
  ["proto[negotiating]:*", { host: undefined, protocol: "auto" }],
  ["proto[binary]:tag[web]:1.2.3.4:7", { host: "1.2.3.4", port: 7, protocol: "binary" }],
  ["tag_web_:1.2.3.4", { host: "1.2.3.4" }],
];
for (const [text, endpoint] of endpoints) {
  Deno.test(`-l ${text} is read as memcached reads it`, () => {
    assertEquals(readEndpoints([text], defaults), [
      { host: undefined, ...defaults, tls: "off", ...endpoint },
    ]);
  });
}

for (
  const text of ["", ":5", "a:", "a:x", "a:65536", "a:-2", "[::1]x", "[::1", "notls:a", "mtls:a"]
    .concat("proto[telnet]:a", "tag[]:a", "tag[ninechars]:a")
) {
  Deno.test(`-l '${text}' is refused`, () => {
    assertEquals(assertThrows(() => readEndpoints([text], defaults), ExitError).code, 64);
  });
}

Deno.test("with -Z a listener has TLS as the options say, none or a client's certificate as -l says", () => {
  const parts = ["a", "notls:a", "btls:a", "mtls:proto[ascii]:a"];
  assertEquals(readEndpoints(parts, { ...defaults, tls: true }).map(({ tls }) => tls), [
    ...["default", "off", "server", "mutual"],
  ]);
});

Deno.test("an address that is given twice is listened on once, and a semicolon is as good as a comma", () => {
  const hosts = readEndpoints(["a;b", "a"], defaults).map(({ host }) => host);
  assertEquals(hosts, ["a", "b"]);
});
