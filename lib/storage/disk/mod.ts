/**
 * The disk store. FORMAT.md describes what it keeps.
 *
 * @module
 */

export { type DiskOptions, type Fsync, openDiskStore } from "./store.ts";
