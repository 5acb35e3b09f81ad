import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { assertEquals } from "@std/assert";
import { namesOf } from "../../lib/net/tls/der.ts";
import { checkedPeer } from "../../lib/net/tls/peer.ts";
import { makeAuthority, makeCertificate, signCertificate } from "../certificates.ts";

const directory = await Deno.makeTempDir();
await makeCertificate(directory, "subjectAltName=DNS:localhost");
await makeAuthority(directory, "others");
/** A certificate as it is in the file of that name. */
const read = (name: string) =>
  new X509Certificate(Deno.readTextFileSync(`${directory}/${name}.crt`));
const sign = async (authority: string, name: string, extensions: string) => {
  await signCertificate(directory, authority, name, extensions);
  return read(name);
};
const names =
  "subjectAltName=DNS:app.example,email:a@b.example,URI:spiffe://x/y,IP:10.1.2.3,IP:fd00::1";
const app = await sign("ca", "app", names);
const tricky = await sign(
  "ca",
  "tricky",
  "subjectAltName=@s\n[s]\nDNS.1=a.example\\, DNS:b.example",
);
const server = await sign("ca", "serving", "extendedKeyUsage=serverAuth");
const client = await sign("ca", "asking", "extendedKeyUsage=clientAuth");
const stranger = await sign("others", "stranger", names);
const between = await sign("ca", "between", "basicConstraints=CA:TRUE");
const below = await sign("between", "below", names);
const belowApp = await sign("app", "belowapp", names);
const ca = read("ca");
await Deno.remove(directory, { recursive: true });

Deno.test("the names in a certificate are its common name and its alternative names of all kinds", () => {
  assertEquals(namesOf(app.raw), [
    ...["app", "app.example", "a@b.example", "spiffe://x/y", "10.1.2.3", "fd00:0:0:0:0:0:0:1"],
  ]);
});

Deno.test("a name with a comma in it is one name", () => {
  assertEquals(namesOf(tricky.raw).includes("b.example"), false);
});

Deno.test("bytes that are no certificate have no names", () => {
  for (const bytes of [[], [0x30], [0x30, 0x84, 255, 255, 255, 255], [0x30, 2, 1, 1]]) {
    assertEquals(namesOf(Uint8Array.from(bytes)), []);
  }
  for (let length = 0; length < app.raw.length; length += 7) {
    assertEquals(namesOf(app.raw.subarray(0, length)), []);
  }
});

/** Whether a certificate is taken, where it is shown with those that it is from. */
function isGood(now: number, ...[leaf, ...rest]: X509Certificate[]): boolean {
  const shown = [leaf!, ...rest].reduceRight<
    { raw: Buffer; issuerCertificate?: unknown } | undefined
  >(
    (issuerCertificate, { raw }) => ({ raw, issuerCertificate }),
    undefined,
  );
  return checkedPeer(shown as Parameters<typeof checkedPeer>[0], [ca], now) !== undefined;
}

const now = Date.now();
const day = 24 * 3600 * 1000;
Deno.test("a client's certificate is good from a known authority, in its time, for its purpose, and with what is between", () => {
  assertEquals(isGood(now, app), true);
  assertEquals(isGood(now, client), true);
  assertEquals(isGood(now, below, between), true);
});

Deno.test("a client's certificate is not good from others, too late or early, for servers, or from one that signs none", () => {
  assertEquals(isGood(now, stranger), false);
  assertEquals(isGood(now + 3 * day, app), false);
  assertEquals(isGood(now - day, app), false);
  assertEquals(isGood(now, server), false);
  assertEquals(isGood(now, below), false);
  assertEquals(isGood(now, belowApp, app), false);
  assertEquals(checkedPeer(undefined, [ca], now), undefined);
  assertEquals(checkedPeer({ raw: Uint8Array.of(1, 2, 3) }, [ca], now), undefined);
});
