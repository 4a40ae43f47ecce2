import type { World } from './api.types.js';
import { link, world } from './store.js';
import { noteRates } from './rates.js';

const SILENCE_MS = 25_000;
const RETRY_MS = 2_000;
const LOOK_MS = 5_000;

let source: EventSource | undefined;
let lastWordAt = 0;
let onRefused: () => void = () => undefined;

/** The one stream of this page. What was shown stays while it reconnects. */
export const connect = (refused: () => void): void => {
  onRefused = refused;
  if (!source) open();
};

export const disconnect = (): void => {
  source?.close();
  source = undefined;
  link.value = 'connecting';
};

const open = (): void => {
  source?.close();
  const mine = new EventSource('/api/v1/events');
  source = mine;
  lastWordAt = Date.now();
  mine.addEventListener('state', onState);
  mine.addEventListener('open', () => {
    lastWordAt = Date.now();
    // Who comes back with the id of what it has is sent nothing before that differs.
    if (world.value) link.value = 'live';
  });
  mine.addEventListener('error', () => {
    if (source !== mine) return;
    link.value = world.value ? 'reconnecting' : 'connecting';
    // A browser gives up for good when the answer is an error; it retries by itself when the connection breaks.
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => retry(mine), RETRY_MS);
  });
};

const retry = (mine: EventSource): void => {
  if (source !== mine) return;
  open();
  onRefused();
};

const onState = (event: MessageEvent<string>): void => {
  lastWordAt = Date.now();
  const next = JSON.parse(event.data) as World;
  noteRates(next.plan, lastWordAt);
  world.value = next;
  link.value = 'live';
};

/** Heartbeats are comments, which a page does not see: after a long silence ask, rather than show an old world as live. */
const checkSilence = async (): Promise<void> => {
  if (!source || Date.now() - lastWordAt < SILENCE_MS) return;
  try {
    await fetch('/healthz', { signal: AbortSignal.timeout(LOOK_MS) });
    lastWordAt = Date.now();
  } catch {
    link.value = 'reconnecting';
    open();
  }
};
setInterval(checkSilence, LOOK_MS);
