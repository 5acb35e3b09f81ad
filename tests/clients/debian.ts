/** Programs that Debian packages bring, and what becomes of a test where one is missing. */

import { exists, placeOf, type Wanted } from "../debian_archive.ts";

/** Something that a test needs, and that this machine may lack. */
abstract class Need {
  /** @param file what it brings, by which it is known to be there. */
  constructor(readonly file: string, readonly missing: boolean) {}

  /** What it is, and how it is got. */
  abstract readonly what: string;
  abstract readonly remedy: string;

  /** Whether tests that need it are left out: not in CI, where it must be there. */
  get skipped(): boolean {
    return this.missing && Deno.env.get("CI") !== "true";
  }

  /** A test's name, with the reason where it is left out. */
  named(name: string): string {
    return this.skipped ? `${name} (skipped: ${this.what} is not installed)` : name;
  }

  /** Fails where it is missing. */
  require(): void {
    if (this.missing) throw new Error(`${this.file} is missing: ${this.remedy}`);
  }
}

/** A Debian package that a test needs. */
export class DebianPackage extends Need {
  constructor(readonly name: string, file: string) {
    super(file, !exists(file));
  }

  override get what(): string {
    return `Debian's ${this.name}`;
  }

  override get remedy(): string {
    return `apt-get install ${this.name}`;
  }
}

/** What a test needs out of another suite of Debian's: `.ci/run` gets it by `fetch.ts`, which says what. */
export class ArchivePackage extends Need {
  constructor(readonly wanted: Wanted) {
    super(placeOf(wanted), !exists(placeOf(wanted)));
  }

  override get what(): string {
    return `${this.wanted.name} of Debian's suite ${this.wanted.suite}`;
  }

  override get remedy(): string {
    return "deno run -A tests/clients/fetch.ts";
  }
}

export type { Need };

/** A test's name, with the first reason where it is left out. */
export function named(name: string, needs: readonly Need[]): string {
  return needs.find((need) => need.skipped)?.named(name) ?? name;
}
