/** Entry 256 k + b: the CRC of byte b with k bytes of zero after it, so that four bytes are taken at once (slicing). */
const table = (() => {
  const entries = new Uint16Array(1024);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    entries[byte] = crc;
  }
  for (let i = 256; i < 1024; i += 1) entries[i] = (entries[i - 256]! << 8) ^ entries[entries[i - 256]! >> 8]!;
  return entries;
})();

const byByte = (crc: number, byte: number): number => ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ byte]!;

/** CRC16/XMODEM (polynomial 0x1021, initial 0), as in the Redis Cluster specification, appendix A. */
export const crc16 = (key: Uint8Array, from = 0, to = key.length): number => {
  let crc = 0;
  let i = from;
  for (; i + 4 <= to; i += 4)
    crc =
      table[768 + ((crc >> 8) ^ key[i]!)]! ^
      table[512 + ((crc & 0xff) ^ key[i + 1]!)]! ^
      table[256 + key[i + 2]!]! ^
      table[key[i + 3]!]!;
  for (; i < to; i += 1) crc = byByte(crc, key[i]!);
  return crc;
};

const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Of a key whose first `{` is at `open`. */
const taggedSlot = (key: Uint8Array, from: number, open: number, to: number): number => {
  let close = open + 1;
  while (close < to && key[close] !== CLOSE) close += 1;
  const tagged = close < to && close > open + 1;
  return (tagged ? crc16(key, open + 1, close) : crc16(key, from, to)) & 16383;
};

/**
 * Slot of a key in Redis Cluster, 0 to 16383: CRC16 mod 16384 of what stands between the first `{` and the next `}` when that is
 * not empty, otherwise of the whole key. Source: Redis Cluster specification, "Hash tags"; `keyHashSlot` in redis/src/cluster.c.
 */
export const redisSlot = (key: Uint8Array, from = 0, to = key.length): number => {
  let crc = 0;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const a = key[i]!;
    const b = key[i + 1]!;
    const c = key[i + 2]!;
    const d = key[i + 3]!;
    if (a === OPEN || b === OPEN || c === OPEN || d === OPEN) break;
    crc = table[768 + ((crc >> 8) ^ a)]! ^ table[512 + ((crc & 0xff) ^ b)]! ^ table[256 + c]! ^ table[d]!;
  }
  for (; i < to; i += 1) {
    if (key[i] === OPEN) return taggedSlot(key, from, i, to);
    crc = byByte(crc, key[i]!);
  }
  return crc & 16383;
};
