const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export const formatBytes = (bytes: number): string => {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
};

export const formatRate = (bytesPerSecond: number): string =>
  bytesPerSecond === 0 ? 'no limit' : `${formatBytes(bytesPerSecond)}/s`;

export const formatCount = (count: number): string => count.toLocaleString('en');

export const formatShare = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

export const formatDuration = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} days`;
};

export const formatTime = (ms: number): string =>
  new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export const formatUtc = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');

export const formatGeneration = ({ incarnation, number }: { incarnation: number; number: number }): string =>
  `${incarnation}.${number}`;

export type Tone = 'good' | 'warn' | 'bad' | 'run' | 'ask' | 'idle';

const TONES: Readonly<Record<string, Tone>> = {
  up: 'good',
  completed: 'good',
  done: 'good',
  proposed: 'ask',
  approved: 'run',
  executing: 'run',
  draining: 'run',
  transferring: 'run',
  'catching-up': 'run',
  'handing-over': 'run',
  cutover: 'run',
  'cleaning-up': 'run',
  preparing: 'run',
  paused: 'warn',
  cancelled: 'warn',
  stalled: 'warn',
  warning: 'warn',
  critical: 'bad',
  down: 'bad',
  failed: 'bad',
};

/** The word says it all; its colour only helps. */
export const toneOf = (word: string): Tone => TONES[word] ?? 'idle';

export const toneOfHealth = (health: string): Tone => {
  if (!health.startsWith('Healthy'))
    return /no live|no controller|frozen|^etcd |members of etcd/i.test(health) ? 'bad' : 'warn';
  return health.includes('waits for a decision') ? 'ask' : 'good';
};

export const byNumber = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
