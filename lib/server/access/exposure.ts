/**
 * Who can reach a listener: this machine alone, a private network, or everybody.
 *
 * @module
 */

import { BlockList, isIP } from "node:net";

/** Who can reach an address. */
export type Reach = "loopback" | "private" | "public";

const loopback = blocks("127.0.0.0/8", "::1/128");
/** RFC 1918, 3927, 4193, 4291, 6598; and 2544, 3849, 5737, which are nobody's in the Internet either. */
const private_ = blocks(
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "fc00::/7",
  "fe80::/10",
  "198.18.0.0/15",
  "192.0.2.0/24",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "2001:db8::/32",
);

const WILDCARDS = ["0.0.0.0", "::"];

/**
 * Who can reach an address that is listened on.
 *
 * @param addresses those of the machine, for a listener on all of them
 */
export function reachOf(hostname: string, addresses: () => readonly string[]): Reach {
  const address = plain(hostname);
  if (!WILDCARDS.includes(address)) return reachOfOne(address);
  // A socket for all of IPv4 has nothing of IPv6; one for all of IPv6 may have both.
  const own = addresses().map(plain).filter((one) => address === "::" || isIP(one) === 4);
  const reaches = own.map(reachOfOne);
  if (reaches.includes("public")) return "public";
  // What the machine has is not known for ever: it may get a network later.
  return "private";
}

function reachOfOne(address: string): Reach {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (loopback.check(address, family)) return "loopback";
  return private_.check(address, family) ? "private" : "public";
}

/** An address without zone, and without what stands before an IPv4 address in IPv6. */
function plain(address: string): string {
  return address.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/, "");
}

function blocks(...ranges: string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split("/");
    list.addSubnet(address!, Number(bits), address!.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}
