/** CRC16/XMODEM (polynomial 0x1021, initial 0), as in the Redis Cluster specification, appendix A. */
const crc16Table = (() => {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    table[byte] = crc;
  }
  return table;
})();

export const crc16 = (key: Uint8Array, from = 0, to = key.length): number => {
  let crc = 0;
  for (let i = from; i < to; i += 1) crc = ((crc << 8) & 0xffff) ^ crc16Table[((crc >> 8) ^ key[i]!) & 0xff]!;
  return crc;
};
