import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { ExitError } from "../../../lib/errors.ts";
import { parseUsers, PasswordFile } from "../../../lib/server/access/password_file.ts";

/** The users of a file's content as `name=password`, or what is wrong with it. */
function read(content: string): string[] | string {
  const users = parseUsers(bytesOf(content));
  if (typeof users === "string") return users;
  const decoder = new TextDecoder();
  return users.map(({ name, password }) => `${decoder.decode(name)}=${decoder.decode(password)}`);
}

const longest = "u:" + "p".repeat(253);
const contents: Record<string, { content: string; users: string[] | string }> = {
  "a line for each user": { content: "a:b\nc:d\n", users: ["a=b", "c=d"] },
  "a last line without an end": { content: "a:b\nc:d", users: ["a=b", "c=d"] },
  "lines that end as on Windows": { content: "a:b\r\nc:d\r\n", users: ["a=b", "c=d"] },
  "a password with colons and blanks": { content: "a:b:c d\n", users: ["a=b:c d"] },
  "an empty name and an empty password": { content: ":\n", users: ["="] },
  "nothing": { content: "", users: [] },
  "a line of 255 bytes": {
    content: `${longest}\na:b\n`,
    users: [longest.replace(":", "="), "a=b"],
  },
  "a line of 256 bytes": {
    content: `${longest}p\n`,
    users: "has an entry of more than 255 bytes",
  },
  "a ninth user, who is dropped": {
    content: "1:a\n2:a\n3:a\n4:a\n5:a\n6:a\n7:a\n8:a\nnonsense\n",
    users: ["1=a", "2=a", "3=a", "4=a", "5=a", "6=a", "7=a", "8=a"],
  },
  "a line without a colon": {
    content: "a:b\nnonsense\n",
    users: "has a malformed entry. Should be 'user:password'",
  },
  "an empty line": {
    content: "a:b\n\nc:d\n",
    users: "has a malformed entry. Should be 'user:password'",
  },
  "a NUL byte": {
    content: "a:b\0c\n",
    users: "has a malformed entry. Should be 'user:password'",
  },
};
for (const [what, { content, users }] of Object.entries(contents)) {
  Deno.test(`a user file with ${what} is read as memcached's rules say`, () => {
    assertEquals(read(content), users);
  });
}

Deno.test("a user is known by the whole name and the whole password", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "user:password\nother:secret\n");
  const users = new PasswordFile(path);
  const check = (name: string, password: string) =>
    users.check(bytesOf(name), bytesOf(password)) !== undefined;
  assertEquals(check("user", "password"), true);
  assertEquals(check("other", "secret"), true);
  const wrong = ["user:secret", "other:password", "use:password", "user:passwor", ":", "user:"]
    .concat("user:password\0", "USER:password", `user:password${"x".repeat(300)}`);
  for (const pair of wrong) {
    const [name, password] = pair.split(":");
    assertEquals(check(name!, password!), false, pair);
  }
  await Deno.remove(path);
});

Deno.test("a user file is read again, and one that is broken or gone changes nothing", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "old:password\n");
  const users = new PasswordFile(path);
  const known = (name: string) => users.check(bytesOf(name), bytesOf("password")) !== undefined;
  await Deno.writeTextFile(path, "new:password\n");
  assertEquals(users.reload(), undefined);
  assertEquals([known("old"), known("new")], [false, true]);
  await Deno.writeTextFile(path, "nonsense");
  assertMatch(users.reload()!, /^Authfile \[.*\] has a malformed entry/);
  await Deno.remove(path);
  assertMatch(users.reload()!, /^Could not open authfile \[.*\] for reading, error /);
  assertEquals([known("old"), known("new")], [false, true]);
});

Deno.test("a user file that is missing stops the start with memcached's exit code", () => {
  const error = assertThrows(() => new PasswordFile("/nonexistent/users"), ExitError);
  assertEquals(error.code, 1);
});
