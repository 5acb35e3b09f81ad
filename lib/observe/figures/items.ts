/**
 * The figures of `stats items`: all items are in one class. Prometheus sees them as memcached_exporter
 * shows a slab class, where there are items.
 *
 * @module
 */

import { exporter } from "./families.ts";
import type { Family, Row, Source } from "./row.ts";

/** The number of the class that all items are in. */
export const CLASS = 1;

const LRU = "lru_maintainer_thread";

function row(
  stat: string,
  read: (source: Source) => number,
  family?: Family,
  rest: { unless?: string; labels?: Record<string, string>; meaning?: string } = {},
): Row {
  const { unless, labels = {}, meaning = family?.help ?? "always 0" } = rest;
  return {
    stat,
    read: (source) => source.store.items === 0 ? undefined : read(source),
    ...family === undefined
      ? {}
      : { series: { family, labels: { slab: String(CLASS), ...labels } } },
    unit: "",
    across: "same",
    meaning,
    ...unless === undefined ? {} : { unless },
  };
}

const none = () => 0;
const hits = (lru: string) => ({ unless: LRU, labels: { lru } });

/** The rows, by the names behind `items:1:`. */
export const items: readonly Row[] = [
  row("number", ({ store }) => store.items, exporter.slabItems),
  row("number_hot", none, exporter.slabHot, { unless: LRU }),
  row("number_warm", none, exporter.slabWarm, { unless: LRU }),
  row("number_cold", ({ store }) => store.items, exporter.slabCold, { unless: LRU }),
  row("age_hot", none, exporter.slabHotAge, { unless: LRU }),
  row("age_warm", none, exporter.slabWarmAge, { unless: LRU }),
  row("age", none, exporter.slabAge),
  row("mem_requested", ({ store }) => store.bytes, exporter.slabRequested),
  row("evicted", ({ store }) => store.evictions, exporter.slabEvicted),
  row("evicted_nonzero", none, exporter.slabEvictedNonzero),
  row("evicted_time", none, exporter.slabEvictedTime),
  row("outofmemory", ({ counters }) => counters.store_no_memory, exporter.slabOutOfMemory),
  row("tailrepairs", none, exporter.slabTailRepairs),
  row("reclaimed", ({ store }) => store.reclaimed, exporter.slabReclaimed),
  row("expired_unfetched", none, exporter.slabExpiredUnfetched),
  row("evicted_unfetched", none, exporter.slabEvictedUnfetched),
  row("evicted_active", none, undefined, { unless: LRU }),
  row("crawler_reclaimed", ({ store }) => store.reclaimed, exporter.slabCrawlerReclaimed),
  row("crawler_items_checked", none),
  row("lrutail_reflocked", none),
  row("moves_to_cold", none, exporter.slabToCold, { unless: LRU }),
  row("moves_to_warm", none, exporter.slabToWarm, { unless: LRU }),
  row("moves_within_lru", none, exporter.slabWithin, { unless: LRU }),
  row("direct_reclaims", none, undefined, { unless: LRU }),
  row("hits_to_hot", none, exporter.slabHits, hits("hot")),
  row("hits_to_warm", none, exporter.slabHits, hits("warm")),
  row("hits_to_cold", ({ counters }) => counters.get_hits, exporter.slabHits, hits("cold")),
  row("hits_to_temp", none, exporter.slabHits, hits("temporary")),
];
