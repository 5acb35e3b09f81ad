import { assertEquals } from "@std/assert";
import { LoginDialect } from "../../lib/protocol/text/login.ts";
import { type Asked, Receiver, requestsIn } from "./receiving.ts";

const dialect = () => new LoginDialect();

const refused = (sentence: string): Asked => ({
  op: "malformed",
  failure: `badRequest: ${sentence}`,
});
const login = (user: string, password: string): Asked => ({ op: "login", words: [user, password] });
const unauthenticated: Asked = { op: "malformed", failure: "unauthenticated: unauthenticated" };
const hangUp: Asked = { op: "hangUp", noreply: true, closes: true };

const rules: Record<string, [sent: string, requests: Asked[]]> = {
  "a login is user and password": ["set a 0 0 7\r\nfoo bar\r\n", [login("foo", "bar")]],
  "a password may have any bytes, blanks too": [
    "set a 0 0 12\r\nfoo  b\r\n\x00\xff c\r\n",
    [login("foo", " b\r\n\x00\xff c")],
  ],
  "an empty user and an empty password are ones": ["set a 0 0 1\r\n \r\n", [login("", "")]],
  "key, flags and exptime mean nothing": ["set \xff x y 3 z\r\na b\r\n", [login("a", "b")]],
  "a line feed alone ends the line": ["set a 0 0 3\na b\r\n", [login("a", "b")]],
  "several logins follow each other": [
    "set a 0 0 3\r\na b\r\nset a 0 0 3\r\nc d\r\n",
    [login("a", "b"), login("c", "d")],
  ],
  "another line is none": ["version\r\nget a b\r\n", [unauthenticated, unauthenticated]],
  "a length that is none is no login": [
    "set a 0 0 x\r\nset a 0 0 -1\r\nset a 0 0\r\n",
    [unauthenticated, unauthenticated, unauthenticated],
  ],
  "a login without a space is no token": [
    "set a 0 0 3\r\nabc\r\n",
    [refused("bad authentication token format")],
  ],
  "a login that goes on is not one": [
    "set a 0 0 3\r\na bc\r\nset a 0 0 3\r\na b\r\n",
    [refused("bad command line termination"), hangUp],
  ],
  "a login of more than 16 KiB is refused by its line": [
    "set a 0 0 16385\r\nset a 0 0 3\r\na b\r\n",
    [refused("auth token too long"), login("a", "b")],
  ],
  "a short line ends the connection, whatever follows": [
    "quit\r\nset a 0 0 3\r\na b\r\n",
    [hangUp],
  ],
};

for (const [rule, [sent, requests]] of Object.entries(rules)) {
  Deno.test(`login: ${rule}`, () => assertEquals(requestsIn(dialect, sent), requests));
}

Deno.test("login: a line of 2,048 bytes waits for its end, and a longer one does not", () => {
  const receiver = new Receiver(dialect());
  assertEquals(receiver.feed("x".repeat(2048)), []);
  assertEquals(receiver.feed("x"), [hangUp]);
});
