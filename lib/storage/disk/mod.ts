/**
 * The disk store, and what keeps its directories in order. FORMAT.md describes what is in them.
 *
 * @module
 */

export { backupDirectory, type BackupOptions, type BackupReport } from "./backup.ts";
export {
  checkDirectory,
  type CheckOptions,
  type CheckReport,
  repairDirectory,
  type RepairReport,
} from "./check.ts";
export type { Fsync } from "./commits.ts";
export type { DamagedPart } from "./salvage.ts";
export { type DiskOptions, openDiskStore } from "./store.ts";
