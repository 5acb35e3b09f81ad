/**
 * The disk store, and what keeps its directories in order. FORMAT.md describes what is in them.
 *
 * @module
 */

export { backupDirectory, type BackupOptions, type BackupReport } from "./upkeep/backup.ts";
export {
  checkDirectory,
  type CheckOptions,
  type CheckReport,
  repairDirectory,
  type RepairReport,
} from "./upkeep/check.ts";
export { describeDirectory, type DirectoryReport } from "./upkeep/describe.ts";
export type { Fsync } from "./log/commits.ts";
export type { DamagedPart } from "./upkeep/salvage.ts";
export { type DiskOptions, openDiskStore } from "./store.ts";
