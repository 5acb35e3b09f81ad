/**
 * Calls between two threads by messages: for what is rare. Items go by rings.
 *
 * @module
 */

import { ExitError, messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";

/** What one side can be asked, by name: one argument, one result, both of which can be cloned. */
export type Calls<T> = { readonly [Name in keyof T]: (argument: never) => unknown };

type Argument<T, Name extends keyof T> = T[Name] extends (argument: infer A) => unknown ? A : never;
type Result<T, Name extends keyof T> = T[Name] extends (argument: never) => infer R ? Awaited<R>
  : never;

type Message =
  | { readonly call: string; readonly id: number; readonly argument: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failed: string; readonly code: Code };

/** What kind of error it was: the exit code of an {@linkcode ExitError}, or that it was a store's. */
type Code = number | "store" | "space" | undefined;

/** One end of a line. */
export class Line<Theirs extends Calls<Theirs>, Ours extends Calls<Ours>> {
  readonly #post: (message: unknown) => void;
  readonly #ours: Ours;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #ids = 0;
  #hasEnded = false;

  /**
   * @param post sends a message to the other end
   * @param ours what the other end may ask here
   */
  constructor(post: (message: unknown) => void, ours: Ours) {
    this.#post = post;
    this.#ours = ours;
  }

  /** Asks the other end. Fails as that does: an {@linkcode ExitError} and a {@linkcode StoreError} stay one. */
  call<Name extends keyof Theirs & string>(
    name: Name,
    argument: Argument<Theirs, Name>,
  ): Promise<Result<Theirs, Name>> {
    if (this.#hasEnded) return Promise.reject(ended());
    const id = ++this.#ids;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#post({ call: name, id, argument } satisfies Message);
    return answer.promise as Promise<Result<Theirs, Name>>;
  }

  /** Tells the other end something, without an answer. */
  tell<Name extends keyof Theirs & string>(name: Name, argument: Argument<Theirs, Name>): void {
    this.#post({ call: name, id: 0, argument } satisfies Message);
  }

  /** The other end answers no more: what was asked fails. */
  end(): void {
    this.#hasEnded = true;
    for (const answer of this.#waiting.values()) answer.reject(ended());
    this.#waiting.clear();
  }

  /** A message of the other end. */
  take(message: unknown): void {
    const told = message as Message;
    if ("call" in told) return void this.#run(told.call, told.id, told.argument);
    const answer = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if ("failed" in told) {
      const { failed, code } = told;
      answer?.reject(errorOf(failed, code));
    } else answer?.resolve(told.result);
  }

  async #run(call: string, id: number, argument: unknown): Promise<void> {
    try {
      const ours = this.#ours as unknown as Record<string, (argument: unknown) => unknown>;
      const result = await ours[call]!(argument);
      if (id !== 0) this.#post({ id, result } satisfies Message);
    } catch (error) {
      if (id === 0) throw error;
      this.#post({ id, failed: messageOf(error), code: codeOf(error) } satisfies Message);
    }
  }
}

function ended(): Error {
  return new Error("the other thread has ended");
}

function codeOf(error: unknown): Code {
  if (error instanceof ExitError) return error.code;
  if (error instanceof OutOfSpaceError) return "space";
  return error instanceof StoreError ? "store" : undefined;
}

function errorOf(message: string, code: Code): Error {
  switch (code) {
    case undefined:
      return new Error(message);
    case "store":
      return new StoreError(message);
    case "space":
      return new OutOfSpaceError(message);
    default:
      return new ExitError(message, code);
  }
}
