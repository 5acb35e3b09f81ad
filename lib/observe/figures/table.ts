/**
 * The one table of figures.
 *
 * @module
 */

import { budgetRows } from "./budgets.ts";
import { copyRows } from "./copies.ts";
import { general } from "./general.ts";
import { items } from "./items.ts";
import { limitRows } from "./limits.ts";
import { process } from "./process.ts";
import type { Row } from "./row.ts";
import { ownRows, storeRows } from "./store.ts";
import { traffic } from "./traffic.ts";

/** Every figure of a server but those that say which server it is. */
export const table: readonly Row[] = [
  ...general,
  ...traffic,
  ...limitRows,
  ...budgetRows,
  ...items,
  ...process,
  ...copyRows,
  ...storeRows,
  ...ownRows,
];
