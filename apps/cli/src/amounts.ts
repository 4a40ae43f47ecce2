import { invalid, printable } from '@cadastre/core';

const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};
const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const amount = (field: string, text: string, units: Readonly<Record<string, number>>, example: string): number => {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match ? units[match[2]!.toLowerCase()] : undefined;
  if (!match || unit === undefined) throw invalid(field, `"${printable(text)}" is no amount`, `write it as ${example}`);
  return Math.round(Number(match[1]) * unit);
};

/** `50MB/s`, `1MiB`, `none`. @throws CadastreError INVALID_ARGUMENT naming the field */
export const parseRate = (field: string, text: string): number =>
  text === 'none' ? 0 : amount(field, text.replace(/\/s$/i, ''), BYTES, '50MB/s, 1MiB/s or none');

/** `30s`, `10m`, `2h`. @throws CadastreError INVALID_ARGUMENT naming the field */
export const parseDuration = (field: string, text: string): number => amount(field, text, TIMES, '30s, 10m or 2h');
