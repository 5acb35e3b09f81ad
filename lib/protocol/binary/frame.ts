/**
 * The frame of the binary protocol, for both sides: a header of 24 bytes, then extras, key and value,
 * which together are the body. All numbers are big endian.
 *
 * ```
 *  0  magic          1 byte    0x80 request, 0x81 reply
 *  1  opcode         1
 *  2  key length     2
 *  4  extras length  1
 *  5  data type      1         0
 *  6  status         2         of a reply; a request has a vbucket id here, which means nothing
 *  8  body length    4         extras, key and value
 * 12  opaque         4         echoed by the reply
 * 16  cas            8
 * ```
 *
 * @see memcached's `protocol_binary.h`
 * @module
 */

/** How long a header is, in bytes. */
export const HEADER_LENGTH = 24;

/** Where each field of a header begins, in bytes. */
export const Offset = {
  magic: 0,
  opcode: 1,
  keyLength: 2,
  extrasLength: 4,
  dataType: 5,
  /** Of a reply. */
  status: 6,
  bodyLength: 8,
  opaque: 12,
  cas: 16,
} as const;

/** The first byte of each frame. */
export const Magic = { request: 0x80, reply: 0x81 } as const;

/** What a request asks. One that ends in `Q` is quiet: the usual reply to it is left out. */
export const Opcode = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  incr: 0x05,
  decr: 0x06,
  quit: 0x07,
  flush: 0x08,
  getQ: 0x09,
  noop: 0x0a,
  version: 0x0b,
  getK: 0x0c,
  getKQ: 0x0d,
  append: 0x0e,
  prepend: 0x0f,
  stat: 0x10,
  setQ: 0x11,
  addQ: 0x12,
  replaceQ: 0x13,
  deleteQ: 0x14,
  incrQ: 0x15,
  decrQ: 0x16,
  quitQ: 0x17,
  flushQ: 0x18,
  appendQ: 0x19,
  prependQ: 0x1a,
  verbosity: 0x1b,
  touch: 0x1c,
  gat: 0x1d,
  gatQ: 0x1e,
  saslMechanisms: 0x20,
  saslAuth: 0x21,
  saslStep: 0x22,
  gatK: 0x23,
  gatKQ: 0x24,
} as const;

/** What came of a request. */
export const Status = {
  ok: 0x00,
  notFound: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  invalidArguments: 0x04,
  notStored: 0x05,
  notNumeric: 0x06,
  authFailure: 0x20,
  /** A mechanism of SASL goes on with another step. */
  authContinue: 0x21,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
  notSupported: 0x83,
  internalError: 0x84,
  busy: 0x85,
  temporaryFailure: 0x86,
} as const;

/** The extras of a get's reply: flags, 4 bytes. */
export const GET_REPLY_EXTRAS = 4;
/** The extras of set, add and replace: flags and exptime, 4 bytes each. */
export const STORE_EXTRAS = 8;
/** The extras of incr and decr: delta 8 bytes, initial value 8, exptime 4. */
export const ARITHMETIC_EXTRAS = 20;
/** The extras of touch, gat and flush: exptime or delay, 4 bytes. Those of flush may be absent. */
export const EXPTIME_EXTRAS = 4;

/** The exptime by which incr and decr say that they create no item. */
export const DO_NOT_CREATE = 0xffffffff;
