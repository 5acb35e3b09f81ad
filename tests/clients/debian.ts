/** Programs that Debian packages bring, and what becomes of a test where one is missing. */

/** A Debian package that a test needs. */
export class DebianPackage {
  private readonly missing: boolean;

  /** @param file what the package brings, by which it is known to be there. */
  constructor(readonly name: string, readonly file: string) {
    this.missing = !exists(file);
  }

  /** Whether tests that need the package are left out: not in CI, where it must be there. */
  get skipped(): boolean {
    return this.missing && Deno.env.get("CI") !== "true";
  }

  /** A test's name, with the reason where it is left out. */
  named(name: string): string {
    return this.skipped ? `${name} (skipped: Debian's ${this.name} is not installed)` : name;
  }

  /** Fails where the package is missing. */
  require(): void {
    if (this.missing) throw new Error(`${this.file} is missing: apt-get install ${this.name}`);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
