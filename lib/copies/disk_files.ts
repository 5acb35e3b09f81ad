/**
 * The file system that directories with copies lie on, for who starts copying.
 *
 * @module
 */

export { systemFiles } from "../storage/disk/fs/files.ts";
