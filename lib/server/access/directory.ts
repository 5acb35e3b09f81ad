/**
 * The users of a server, wherever they come from.
 *
 * @module
 */

import type { Users } from "../../commands/context.ts";
import type { User } from "../../commands/session.ts";

/** A user, and by what it got in. */
export interface KnownUser extends User {
  /** The password, its hash or the certificate that opened the connection: gone, the user is out. */
  readonly credential: string;
}

/** Users that can be read again. */
export interface UserDirectory extends Users {
  /** The file that they are from. */
  readonly path: string;
  /** How many there are. */
  readonly size: number;
  /**
   * Reads the file again. One that cannot be used leaves the users as they are.
   *
   * @returns what is wrong with the file, in one line.
   */
  reload(): string | undefined;
  /** Who a user that is logged in is now; `undefined` where it is nobody any more. */
  renew(user: User): User | undefined;
}
