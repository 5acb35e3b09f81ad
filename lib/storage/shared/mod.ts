/**
 * One store for several threads. docs/architecture.md, "Threads", says how and why that is correct.
 *
 * @module
 */

export { bellMemory, bellOf, Channel, type ChannelMemory, channelMemory } from "./channel.ts";
export { Owner } from "./owner.ts";
export { RemoteStore, type Whole } from "./remote_store.ts";
export { Shelf } from "./shelf.ts";
export { ShelfReader } from "./shelf_reader.ts";
