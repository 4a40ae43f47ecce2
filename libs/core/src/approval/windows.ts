import { invalid } from '../errors.js';
import { printable } from '../limits.js';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** When moves may begin, by the clock on the wall of a time zone. */
export interface MaintenanceWindow {
  readonly name: string;
  /** IANA, such as Europe/Berlin. */
  readonly zone: string;
  /** Of the beginning; none: every day. */
  readonly days: readonly Weekday[];
  /** HH:MM */
  readonly from: string;
  /** HH:MM, on the next day if not after `from`. */
  readonly to: string;
}

export interface WindowState {
  readonly name: string;
  readonly zone: string;
  readonly open: boolean;
  /** When it opens next; of an open one, now. Milliseconds since 1970. */
  readonly opensMs: number;
  readonly closesMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
/** A weekly window opens within this; a day that the clocks skip adds one. */
const LOOK_DAYS = 9;

/** @throws CadastreError INVALID_ARGUMENT naming the path */
export const checkWindow = (path: string, window: MaintenanceWindow): void => {
  for (const end of ['from', 'to'] as const)
    if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(window[end]))
      throw invalid(`${path}.${end}`, `"${printable(window[end])}" is no time`, 'give HH:MM, such as 22:00');
  const stranger = window.days.find((day) => !WEEKDAYS.includes(day));
  if (stranger !== undefined)
    throw invalid(`${path}.days`, `"${printable(stranger)}" is no day`, `use some of ${WEEKDAYS.join(', ')}`);
  try {
    localTime(window.zone, 0);
  } catch {
    throw invalid(
      `${path}.zone`,
      `"${printable(window.zone)}" is no time zone`,
      'use an IANA name: Europe/Berlin, UTC',
    );
  }
};

/** The window that is open and closes last, or else the one that opens next. Undefined where there is none: any time will do. */
export const windowAt = (windows: readonly MaintenanceWindow[], nowMs: number): WindowState | undefined => {
  const states = windows.map((window) => stateOf(window, nowMs));
  const open = states.filter((s) => s.open).sort((a, b) => b.closesMs - a.closesMs)[0];
  return open ?? states.sort((a, b) => a.opensMs - b.opensMs)[0];
};

export type Fit = 'yes' | 'perhaps' | 'no';

/** Whether what is left ends before the window does: begun now, or when it opens. */
export const fitOf = (window: WindowState, nowMs: number, lowMs: number, highMs: number): Fit => {
  const roomMs = window.closesMs - Math.max(nowMs, window.opensMs);
  if (highMs <= roomMs) return 'yes';
  return lowMs <= roomMs ? 'perhaps' : 'no';
};

const stateOf = (window: MaintenanceWindow, nowMs: number): WindowState => {
  const { name, zone } = window;
  const open = isOpen(window, nowMs);
  const opensMs = open ? nowMs : nextChange(window, nowMs, true);
  return { name, zone, open, opensMs, closesMs: nextChange(window, opensMs, false) };
};

const minutesOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

const isOpen = (window: MaintenanceWindow, atMs: number): boolean => {
  const { day, minute } = localTime(window.zone, atMs);
  const from = minutesOf(window.from);
  const to = minutesOf(window.to);
  const on = (d: number): boolean => window.days.length === 0 || window.days.includes(WEEKDAYS[(d + 7) % 7]!);
  if (from < to) return on(day) && minute >= from && minute < to;
  return (on(day) && minute >= from) || (on(day - 1) && minute < to);
};

/**
 * The first minute from `atMs` on at which the window is open (or not). Walks from one edge on the wall's clock to the next and looks
 * anew each time, so that a change to or from summer time moves no edge.
 */
const nextChange = (window: MaintenanceWindow, atMs: number, wanted: boolean): number => {
  const edges = [minutesOf(window.from), minutesOf(window.to), 0];
  let at = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  for (let tries = 0; tries < LOOK_DAYS * edges.length * 2; tries += 1) {
    const { minute } = localTime(window.zone, at);
    const left = Math.min(...edges.map((edge) => (edge - minute + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES));
    const next = at + left * MINUTE_MS;
    // The clocks may change on the way: look at each hour of it as well.
    for (let hour = at + 60 * MINUTE_MS; hour < next; hour += 60 * MINUTE_MS)
      if (isOpen(window, hour) === wanted) return firstMinute(window, hour - 60 * MINUTE_MS, hour, wanted);
    at = next;
    if (isOpen(window, at) === wanted) return at;
  }
  return at;
};

const firstMinute = (window: MaintenanceWindow, fromMs: number, toMs: number, wanted: boolean): number => {
  for (let at = fromMs + MINUTE_MS; at < toMs; at += MINUTE_MS) if (isOpen(window, at) === wanted) return at;
  return toMs;
};

const formats = new Map<string, Intl.DateTimeFormat>();
const formatOf = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formats.set(zone, made);
  return made;
};

/** @throws RangeError for a zone that is none */
const localTime = (zone: string, atMs: number): { readonly day: number; readonly minute: number } => {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(atMs)
      .map((p) => [p.type, p.value]),
  );
  const day = WEEKDAYS.indexOf((parts.get('weekday') ?? '').toLowerCase() as Weekday);
  return { day, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) };
};
