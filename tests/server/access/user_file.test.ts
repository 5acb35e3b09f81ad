import { assertEquals, assertMatch } from "@std/assert";
import { parseUserFile } from "../../../lib/server/access/user_file.ts";
import { cheapHash } from "./users.ts";

const hash = await cheapHash("p");
const ann = { name: "ann", passwords: [hash], permissions: { read: true } };

/** The content of a file with one user that differs from ann. */
function fileOf(difference: Record<string, unknown>): string {
  return JSON.stringify({ users: [{ ...ann, ...difference }] });
}

Deno.test("a users file has names, hashes, permissions, prefixes and names in certificates", () => {
  const users = parseUserFile(fileOf({
    permissions: { read: true, write: ["a:"], list: false },
    certificates: ["ann.example"],
  }));
  if (typeof users === "string") throw new Error(users);
  assertEquals(users.map(({ name }) => name), ["ann"]);
  assertEquals([...users[0]!.hashes.keys()], [hash]);
  assertEquals(users[0]!.certificates, ["ann.example"]);
});

const wrong: [content: string, says: RegExp][] = [
  ["nonsense", /^is no JSON: /],
  ["[]", /^the file must be an object/],
  ['{"users": [], "users": []}', /^users stands twice/],
  ['{"usres": []}', /^the file has an unknown word 'usres'; did you mean 'users'\?/],
  ['{"users": {}}', /^users must be a list/],
  [fileOf({ pasword: "x" }), /^users\[0\] has an unknown word 'pasword'/],
  [fileOf({ name: "" }), /^users\[0\]\.name must be a text/],
  [fileOf({ name: "a b" }), /^users\[0\]\.name has a blank/],
  [fileOf({ passwords: ["secret"] }), /^users\[0\]\.passwords\[0\] is no hash of kvs-server hash-/],
  [fileOf({ passwords: [hash.replace("ln=4", "ln=30")] }), /passwords\[0\] is no hash/],
  [fileOf({ passwords: Array(5).fill(hash) }), /^users\[0\]\.passwords are more than 4/],
  [fileOf({ permissions: undefined }), /^users\[0\]\.permissions must be an object/],
  [
    fileOf({ permissions: { raed: true } }),
    /^users\[0\]\.permissions has an unknown word 'raed'; did you mean 'read'\?/,
  ],
  [fileOf({ permissions: { read: "all" } }), /permissions\.read must be true, false or a list/],
  [fileOf({ permissions: { read: [""] } }), /permissions\.read\[0\] must be a text/],
  [fileOf({ permissions: { stats: ["a"] } }), /permissions\.stats is true or false/],
  [fileOf({ permissions: { read: ["a"], flush: true } }), /permissions\.flush empties everything/],
  [JSON.stringify({ users: [ann, ann] }), /^user 'ann' stands twice/],
];
for (const [content, says] of wrong) {
  Deno.test(`a users file is refused with the place of what is wrong: ${says.source}`, () => {
    const problem = parseUserFile(content);
    assertMatch(typeof problem === "string" ? problem : "it was taken", says);
  });
}
