/**
 * Stand-in for `jsr:@std/assert`: the part that the tests use, with the package's signatures.
 *
 * Equality and its diff are `node:assert`'s. Where the two differ (`0` and `-0`, objects without a
 * prototype) node's is the stricter, so what passes here passes with the package too.
 */
import nodeAssert from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;
type Falsy = false | 0 | 0n | "" | null | undefined;

/** What a failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

/** Throws unless `condition`; `what` is a sentence without its full stop. */
function require(condition: boolean, what: () => string, msg?: string): void {
  if (!condition) throw new AssertionError(what() + suffix(msg));
}

function difference(compare: () => void): string {
  try {
    compare();
  } catch (error) {
    return (error as Error).message.trimEnd();
  }
  throw new AssertionError("The values are equal");
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const diff = difference(() => nodeAssert.deepStrictEqual(actual, expected));
  throw new AssertionError(`Values are not equal${suffix(msg)}\n\n${diff}\n`);
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  require(
    !isDeepStrictEqual(actual, expected),
    () => `Expected actual: ${inspect(actual)} not to be: ${inspect(expected)}`,
    msg,
  );
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const diff = difference(() => nodeAssert.strictEqual(actual, expected));
  throw new AssertionError(`Values are not strictly equal${suffix(msg)}\n\n${diff}\n`);
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  require(
    actual !== undefined && actual !== null,
    () => `Expected actual: "${actual}" to not be null or undefined`,
    msg,
  );
}

// deno-lint-ignore no-explicit-any
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  require(
    actual instanceof expectedType,
    () => `Expected object to be an instance of "${expectedType.name}" but was ${inspect(actual)}`,
    msg,
  );
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  require(
    expected.test(actual),
    () => `Expected actual: ${inspect(actual)} to match: ${expected}`,
    msg,
  );
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  require(
    actual.includes(expected),
    () => `Expected actual: ${inspect(actual)} to contain: ${inspect(expected)}`,
    msg,
  );
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  require(actual > expected, () => `Expect ${inspect(actual)} > ${inspect(expected)}`, msg);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  require(actual >= expected, () => `Expect ${inspect(actual)} >= ${inspect(expected)}`, msg);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  require(actual < expected, () => `Expect ${inspect(actual)} < ${inspect(expected)}`, msg);
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  require(actual <= expected, () => `Expect ${inspect(actual)} <= ${inspect(expected)}`, msg);
}

export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object, but was ${inspect(error)}${suffix(msg)}`,
    );
  }
  require(
    !ErrorClass || error instanceof ErrorClass,
    () =>
      `Expected error to be instance of "${ErrorClass?.name}", but was "${error.constructor.name}" (${error.message})`,
    msg,
  );
  require(
    msgMatches === undefined ||
      (typeof msgMatches === "string"
        ? error.message.includes(msgMatches)
        : msgMatches.test(error.message)),
    () =>
      `Expected error message to ${typeof msgMatches === "string" ? "include" : "match"} ${
        inspect(msgMatches)
      }, but got ${inspect(error.message)}`,
    msg,
  );
}

/** The arguments behind `fn` in both forms of assertThrows and assertRejects. */
type Expectation<E extends Error> = [string?] | [ErrorClass<E>, string?, string?];

function checkThrown<E extends Error>(error: unknown, expectation: Expectation<E>): void {
  const [classOrMsg, msgIncludes, msg] = expectation;
  if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
}

function messageOf<E extends Error>(expectation: Expectation<E>): string | undefined {
  return typeof expectation[0] === "function" ? expectation[2] : expectation[0];
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ...expectation: Expectation<E>
): unknown {
  try {
    fn();
  } catch (error) {
    checkThrown(error, expectation);
    return error;
  }
  throw new AssertionError(`Expected function to throw${suffix(messageOf(expectation))}`);
}

export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ...expectation: Expectation<E>
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (cause) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(messageOf(expectation))}`,
      { cause },
    );
  }
  try {
    await promise;
  } catch (error) {
    checkThrown(error, expectation);
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(messageOf(expectation))}`);
}
