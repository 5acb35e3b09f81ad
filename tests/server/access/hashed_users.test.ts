import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ExitError } from "../../../lib/errors.ts";
import { HashedUsers } from "../../../lib/server/access/hashed_users.ts";
import { Turns } from "../../../lib/server/access/turns.ts";
import { userFile, usersOf, writeUsers } from "./users.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ann = { name: "ann", password: "right", permissions: { read: true } };

Deno.test("a password that was right is known the next time without a hash; a wrong one never is", async () => {
  const users = await usersOf([ann]);
  const check = (password: string) => users.check(bytes("ann"), bytes(password), "1.2.3.4");
  const first = check("right");
  assertEquals(first instanceof Promise, true);
  assertEquals((await first)?.name, "ann");
  for (let i = 0; i < 20; i++) {
    const guess = check(`wrong ${i}`);
    assertEquals(guess instanceof Promise, true);
    assertEquals(await guess, undefined);
  }
  const again = check("right");
  assertEquals(again instanceof Promise, false);
  assertEquals((await again)?.name, "ann");
});

Deno.test("of clients that log in together the first hashes for all", async () => {
  const users = await usersOf([ann]);
  const check = () => users.check(bytes("ann"), bytes("right"), "1.2.3.4");
  const first = check();
  const others = Array.from({ length: 5 }, check);
  assertEquals((await first)?.name, "ann");
  for (const other of others) assertEquals((await other)?.name, "ann");
});

Deno.test("an unknown user takes as many hashes as a known one, and is nobody", async () => {
  const users = await usersOf([ann]);
  const guess = users.check(bytes("bob"), bytes("right"), "1.2.3.4");
  assertEquals(guess instanceof Promise, true);
  assertEquals(await guess, undefined);
});

Deno.test("a user with a certificate and without a password is opened by no password, not even an empty one", async () => {
  const users = await usersOf([
    { name: "ann", permissions: { read: true }, certificates: ["ann.example"] },
  ]);
  for (const password of ["", "right", "ann.example"]) {
    assertEquals(await users.check(bytes("ann"), bytes(password), "1.2.3.4"), undefined);
  }
  assertEquals(users.certified(["x", "ann.example"])?.name, "ann");
  assertEquals(users.certified(["ANN.example", "ann.example.com", "n.example"]), undefined);
});

Deno.test("a users file is read again: a user who is gone or has another password is out, others stay", async () => {
  const path = await Deno.makeTempFile();
  const bob = { name: "bob", password: "b", permissions: { read: true } };
  await writeUsers(path, [ann, bob]);
  const users = new HashedUsers(path);
  const [inAnn, inBob] = await Promise.all([
    users.check(bytes("ann"), bytes("right"), ""),
    users.check(bytes("bob"), bytes("b"), ""),
  ]);
  const content = JSON.parse(await Deno.readTextFile(path));
  content.users[0].permissions = {};
  content.users[1].passwords = [...JSON.parse(await userFile([bob])).users[0].passwords];
  await Deno.writeTextFile(path, JSON.stringify(content));
  assertEquals(users.reload(), undefined);
  assertEquals(users.renew(inAnn!)?.rights?.has(1), false);
  assertEquals(users.renew(inBob!), undefined);
  await Deno.writeTextFile(path, "nonsense");
  assertMatch(users.reload()!, /is no JSON/);
  assertEquals(users.size, 2);
  await Deno.remove(path);
  assertMatch(users.reload()!, /cannot read the users file/);
  assertEquals((await users.check(bytes("ann"), bytes("right"), ""))?.name, "ann");
});

Deno.test("a users file that everybody can write stops the start", async () => {
  const path = await Deno.makeTempFile();
  await writeUsers(path, [ann]);
  await Deno.chmod(path, 0o602);
  const error = assertThrows(() => new HashedUsers(path), ExitError);
  assertMatch(error.message, /everybody can write/);
  await Deno.remove(path);
});

Deno.test("hashes are made for each address in its turn: one that guesses much waits behind itself", async () => {
  const turns = new Turns(1);
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.run("guesser", () => gate.promise);
  const rest = ["guesser", "guesser", "guesser", "other"].map((address) =>
    turns.run(address, () => {
      order.push(address);
      return Promise.resolve();
    })
  );
  gate.resolve();
  await Promise.all([first, ...rest]);
  assertEquals(order, ["guesser", "other", "guesser", "guesser"]);
});
