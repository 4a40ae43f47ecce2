import { invalid } from '../../errors.js';
import { scratch } from './words.js';
import { vitessXxhash } from './vitess.js';

/**
 * First-level weights of ASCII, 0 for what is ignored, from the space on; before it only the white space of bytes 9 to 13 counts.
 * Source: golang.org/x/text/collate, tables of the default Unicode order (CLDR 23), `collate.Loose`.
 */
const FROM_SPACE = [
  '0109 015d 01f0 0275 13ef 0276 0273 01e9 01fa 01fb 026c 049c 0120 010d 0172 0271', // space to /
  '14e6 14e7 14e8 14e9 14ea 14eb 14ec 14ed 14ee 14ef 0136 0131 04a0 04a1 04a2 0162', // 0 to ?
  '026b 15ef 1605 161d 1631 164c 1684 1691 16b4 16cd 16e6 16ff 1711 1741 174f 1771', // @ to O
  '1796 17ab 17bd 17f3 1816 1836 185f 1871 187b 1880 1895 01fc 0272 01fd 0312 010b', // P to _
  '030f 15ef 1605 161d 1631 164c 1684 1691 16b4 16cd 16e6 16ff 1711 1741 174f 1771', // ` to o
  '1796 17ab 17bd 17f3 1816 1836 185f 1871 187b 1880 1895 01fe 04a4 01ff 04a6 0000', // p to delete
].join(' ');

const WEIGHTS = (() => {
  const weights = new Uint16Array(128);
  for (let byte = 9; byte <= 13; byte += 1) weights[byte] = 0x0100 + byte - 9;
  FROM_SPACE.split(' ').forEach((weight, i) => (weights[0x20 + i] = Number.parseInt(weight, 16)));
  return weights;
})();

const notAscii = (byte: number) =>
  invalid(
    'key',
    `has the byte 0x${byte.toString(16)}, which is no ASCII`,
    'use vitess-xxhash for such keys, or keep to ASCII: the weights of the rest of Unicode are not carried here',
    'ASCII',
  );

/**
 * Vitess' `unicode_loose_xxhash` vindex for keys of ASCII: `xxhash` of the collation key that ignores case and trailing spaces. The
 * keyspace id's bytes are in the first 2 of `hashWords`. Source: vitess/go/vt/vtgate/vindexes/unicode.go, unicodeloosexxhash.go.
 * @throws CadastreError INVALID_ARGUMENT for a key with a byte that is no ASCII: accents and other scripts are a stated limit
 */
export const vitessUnicodeLooseXxhash = (key: Uint8Array, from = 0, to = key.length): void => {
  let end = to;
  while (end > from && key[end - 1] === 0x20) end -= 1;
  const out = scratch(2 * (end - from));
  let written = 0;
  for (let i = from; i < end; i += 1) {
    const byte = key[i]!;
    if (byte > 0x7f) throw notAscii(byte);
    const weight = WEIGHTS[byte]!;
    if (weight === 0) continue;
    out[written] = weight >>> 8;
    out[written + 1] = weight;
    written += 2;
  }
  vitessXxhash(out, 0, written);
};
