/**
 * What the main thread and the one that copies ask each other.
 *
 * @module
 */

import type { CopyReport } from "../../copies/copying.ts";
import type { LogLevel } from "../../log_level.ts";
import type { Moment } from "../../storage/moment.ts";
import type { CopySettings } from "./settings.ts";

/** What the main thread asks. */
export interface CopyCalls {
  /** Opens the destination. @throws {ExitError} */
  begin(settings: CopySettings): Promise<void>;
  /** Takes over and restores, if the directory is empty; what was restored, in a sentence. @throws {ExitError} */
  restore(_: undefined): Promise<string | undefined>;
  /** Copies from now on. */
  copy(_: undefined): void;
  /** Copies what was acknowledged last, and ends. */
  stop(_: undefined): Promise<void>;
}

/** What the thread that copies asks. */
export interface StoreCalls {
  moment(whole: boolean): Promise<Moment>;
  report(report: CopyReport): void;
  say(said: { readonly line: string; readonly level: LogLevel }): void;
}
