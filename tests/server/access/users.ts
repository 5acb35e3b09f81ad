/** Users files for tests. */

import { HashedUsers } from "../../../lib/server/access/hashed_users.ts";
import { hashPassword } from "../../../lib/server/access/scrypt.ts";

/** A hash that takes no time. */
export async function cheapHash(password: string): Promise<string> {
  return await hashPassword(new TextEncoder().encode(password), { logN: 4, r: 1, p: 1 });
}

/** A user of a file: its password, and what it may do. */
export interface TestUser {
  readonly name: string;
  readonly password?: string;
  readonly permissions: Record<string, unknown>;
  readonly certificates?: readonly string[];
}

/** The content of a users file. */
export async function userFile(users: readonly TestUser[]): Promise<string> {
  const entries = await Promise.all(users.map(async ({ password, ...user }) => ({
    ...user,
    passwords: password === undefined ? [] : [await cheapHash(password)],
  })));
  return JSON.stringify({ users: entries });
}

/** Writes a users file that nobody else may read. */
export async function writeUsers(path: string, users: readonly TestUser[]): Promise<void> {
  await Deno.writeTextFile(path, await userFile(users));
  await Deno.chmod(path, 0o600);
}

/** Users without a file of their own that stays. */
export async function usersOf(users: readonly TestUser[]): Promise<HashedUsers> {
  const path = await Deno.makeTempFile();
  try {
    await writeUsers(path, users);
    return new HashedUsers(path);
  } finally {
    await Deno.remove(path);
  }
}
