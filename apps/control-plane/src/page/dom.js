// Small tools for the page. Text goes in as text nodes only.

/** An element. Attributes by name; `on` holds listeners; `style` is set through the CSSOM, which the page's policy allows. */
export const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === 'style')
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
};

export const byId = (id) => document.getElementById(id);

/** Sets only what differs, so that a reader's selection and a screen reader's place stay. */
export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** Rebuilds a part of the page only when what it shows has changed. */
const shown = new WeakMap();
export const renderWhenChanged = (element, value, build) => {
  const key = JSON.stringify(value);
  if (shown.get(element) === key) return;
  shown.set(element, key);
  element.replaceChildren(...[build()].flat().filter(Boolean));
};

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
export const formatBytes = (bytes) => {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
};

export const formatCount = (count) => count.toLocaleString('en');

export const plural = (count, one, many = `${one}s`) => `${formatCount(count)} ${count === 1 ? one : many}`;

export const formatDuration = (ms) => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} days`;
};

export const formatTime = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

const TONES = {
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
  expired: 'idle',
  superseded: 'idle',
  rejected: 'idle',
  drained: 'idle',
  pending: 'idle',
  down: 'bad',
  failed: 'bad',
};
/** A word in a coloured frame; the word says it all, the colour only helps. */
export const chip = (word) => h('span', { class: 'chip', 'data-tone': TONES[word] ?? 'idle' }, word);

export const bar = (share, tone, mark) =>
  h(
    'span',
    { class: 'bar', 'data-tone': tone, 'aria-hidden': 'true' },
    h('span', { class: 'bar-fill', style: { width: `${Math.min(100, Math.max(0, share * 100))}%` } }),
    mark !== undefined && h('span', { class: 'bar-mark', style: { left: `${Math.min(100, mark * 100)}%` } }),
  );
