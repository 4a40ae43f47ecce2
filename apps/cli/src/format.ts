import { printable } from '@cadastre/core';

/** Text for people: aligned, short, with units. */
export type Align = 'left' | 'right';

export interface Column<Row> {
  readonly title: string;
  readonly align?: Align;
  readonly value: (row: Row) => string | number;
}

/** Characters that a terminal shows in two places; enough for what appears in ids and sentences. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u;

export const widthOf = (text: string): number => {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
};

const pad = (text: string, width: number, align: Align): string => {
  const blank = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? blank + text : text + blank;
};

/** Rows under titles; columns are as wide as they need to be. Control characters are shown as `?`. */
export const table = <Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string => {
  const cells = rows.map((row) => columns.map((column) => printable(String(column.value(row)), 400)));
  const widths = columns.map((column, i) => Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[i]!))));
  const render = (line: readonly string[]) =>
    line
      .map((cell, i) => pad(cell, widths[i]!, columns[i]!.align ?? 'left'))
      .join('  ')
      .trimEnd();
  return [render(columns.map((c) => c.title)), ...cells.map(render)].map((line) => `${line}\n`).join('');
};

/** Names and values below each other. */
export const facts = (pairs: readonly (readonly [string, string | number])[]): string => {
  const width = Math.max(...pairs.map(([name]) => widthOf(name)));
  return pairs.map(([name, value]) => `${pad(name, width, 'left')}  ${printable(String(value), 2_000)}\n`).join('');
};

export const bytes = (count: number): string => {
  if (count < 1024) return `${count} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = Math.min(units.length, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
};

export const count = (n: number): string => n.toLocaleString('en-US');

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export const duration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

export const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

export const bar = (share: number, width = 24): string => {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
};

/** "3 -> 5", or "3" where nothing changes. */
export const change = (before: number, after: number): string =>
  before === after ? count(before) : `${count(before)} -> ${count(after)}`;

const TEXT = new TextDecoder('utf-8', { fatal: true });

/** Bytes as text where they are text, otherwise as hex. */
export const showBytes = (value: Uint8Array): string => {
  try {
    const text = TEXT.decode(value);
    // oxlint-disable-next-line no-control-regex -- what cannot be shown
    return /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text) ? `0x${Buffer.from(value).toString('hex')}` : text;
  } catch {
    return `0x${Buffer.from(value).toString('hex')}`;
  }
};

/** JSON in which bytes are text, or hex where they are no text. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) => {
    if (
      item &&
      typeof item === 'object' &&
      (item as { type?: unknown }).type === 'Buffer' &&
      Array.isArray((item as { data?: unknown }).data)
    ) {
      return showBytes(Buffer.from((item as { data: number[] }).data));
    }
    return item instanceof Uint8Array ? showBytes(item) : item;
  });
