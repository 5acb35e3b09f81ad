/**
 * Which of a Redis Cluster's 16,384 slots a key belongs to: CRC16 (XMODEM) of the key, or of what
 * stands between its first `{` and the next `}`. From the Redis Cluster specification.
 *
 * @module
 */

export const SLOTS = 16_384;

const TABLE = new Uint16Array(256).map((_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The slot of the whole Redis key. */
export function slotOf(key: Uint8Array): number {
  let from = 0;
  let to = key.length;
  const open = key.indexOf(123);
  if (open !== -1) {
    const close = key.indexOf(125, open + 1);
    if (close > open + 1) {
      from = open + 1;
      to = close;
    }
  }
  let crc = 0;
  for (let i = from; i < to; i++) crc = (crc << 8) ^ TABLE[((crc >> 8) ^ key[i]) & 0xff];
  return crc & (SLOTS - 1);
}
