/** These hold for `jsr:@std/assert` and for its stand-in alike. */
import {
  assert,
  assertEquals,
  AssertionError,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";

Deno.test("values of the same shape are equal, bytes, maps and sets among them", () => {
  const value = () => ({
    bytes: new Uint8Array([1, 2]),
    map: new Map([["a", { deep: [1n] }]]),
    set: new Set(["x"]),
    missing: undefined,
    nan: NaN,
  });
  assertEquals(value(), value());
});

Deno.test("a failed comparison shows what differs and the message", () => {
  const { message } = assertThrows(
    () => assertEquals({ key: "a", cas: 1 }, { key: "a", cas: 2 }, "after a touch"),
    AssertionError,
  );
  assertStringIncludes(message, "after a touch");
  // Colours, where the package sets them, stand around a whole line.
  assert(message.includes("cas: 1") && message.includes("cas: 2"), message);
});

Deno.test("an error is checked for its class and its words", async () => {
  const fails = () => {
    throw new TypeError("no such option");
  };
  assertThrows(fails, TypeError, "such");
  assertThrows(() => assertThrows(fails, RangeError), AssertionError);
  assertThrows(() => assertThrows(fails, TypeError, "other"), AssertionError);
  await assertRejects(() => Promise.reject(new TypeError("late")), TypeError, "late");
  await assertRejects(
    () => assertRejects(() => Promise.resolve(), TypeError),
    AssertionError,
    "Expected function to reject",
  );
});

Deno.test("a function that throws before it returns a promise does not reject", async () => {
  await assertRejects(
    () =>
      assertRejects(() => {
        throw new TypeError("early");
      }),
    AssertionError,
    "throws when expected to reject",
  );
});
