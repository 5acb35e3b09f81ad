/** Requests that are half right, from a seed. */

/** Numbers from a seed, each from 0 to less than `below` (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const commands =
  "get gets gat gats set add replace append prepend cas incr decr delete touch flush_all"
    .concat(" version verbosity stats lru_crawler shutdown mg ms md ma mn me GET quit\x00 nonsense")
    .split(" ");
const words = [
  "0",
  "1",
  "-1",
  "5",
  "007",
  "2147483646",
  "2147483648",
  "4294967296",
  "18446744073709551615",
  "18446744073709551616",
  "99999999999999999999999999999999",
  "1e3",
  "0x10",
  "+1",
  "noreply",
  "HTTP/1.1",
  "all",
  "metadump",
  "mgdump",
  "settings",
  "reset",
  "items",
  "cachedump",
  "k".repeat(250),
  "k".repeat(251),
  "\x00",
  "\xff\xfe",
  "\t",
  "\r",
];
const values = [
  "",
  "1",
  "\r\n",
  "END\r\n",
  "get a\r\n",
  "set b 0 0 5\r\n",
  "\x80\x00",
  "x".repeat(5000),
];

/** Draws requests, right ones and such as have been damaged. */
export function requestsFrom(random: (below: number) => number): () => string {
  const one = <T>(of: readonly T[]): T => of[random(of.length)];
  const key = () => one(["a", "b", "c", "counter", one(words)]);
  const line = () => {
    const parts = [one(commands)];
    for (let count = random(7); count > 0; count--) parts.push(one([key(), one(words)]));
    return parts.join(one([" ", " ", " ", "  "])) + one(["\r\n", "\r\n", "\r\n", "\n", "\r", ""]);
  };
  const storage = () => {
    const value = one(values);
    const length = one([value.length, value.length, value.length, random(20), one(words)]);
    const command = one(["set", "add", "replace", "append", "prepend", "cas"]);
    const more = one(["", "", " noreply", ` ${random(100)}`, ` ${random(100)} noreply`]);
    return `${command} ${key()} ${one(["0", "0", one(words)])} ${one(["0", "0", one(words)])} ` +
      `${length}${more}\r\n${value}${one(["\r\n", "\r\n", "\r\n", "\n", ""])}`;
  };
  const noise = () => {
    const bytes = Array.from({ length: random(60) }, () => String.fromCharCode(random(256)));
    return bytes.join("") + one(["\r\n", "\n", ""]);
  };
  const long = () => one(["x", "get ", "set a "]) + "y".repeat(random(6000)) + one(["\r\n", ""]);
  const binary = () => "\x80" + noise();
  const damaged = (request: string) => {
    const at = random(request.length + 1);
    const rest = request.slice(at);
    return request.slice(0, at) +
      one([rest.slice(1), String.fromCharCode(random(256)) + rest, rest + rest, "", "\r\n" + rest]);
  };
  const right = () => {
    const value = one(values);
    return one([
      `set ${one(["a", "b"])} 0 0 ${value.length}\r\n${value}\r\n`,
      `append ${one(["a", "b"])} 0 0 ${value.length} noreply\r\n${value}\r\n`,
      "set counter 0 0 2\r\n10\r\n",
      "get a b counter\r\n",
      "decr counter 1\r\n",
      "gats 100 a b\r\n",
    ]);
  };
  const kinds = [...Array(20).fill(right), ...Array(8).fill(storage), ...Array(8).fill(line)]
    .concat(noise, noise, binary, long);
  return () => {
    const request = one(kinds)();
    return random(8) === 0 ? damaged(request) : request;
  };
}
