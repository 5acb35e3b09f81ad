/**
 * The keyed hash, for stores.
 *
 * @module
 */

export { KeyHash } from "../key_hash.ts";
