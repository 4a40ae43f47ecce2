import { signal } from '@preact/signals';

export interface Route {
  readonly page: string;
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
}

const read = (): Route => {
  const [where = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...rest] = where.split('/').map(decoded);
  return { page: page || 'overview', rest, query: new URLSearchParams(query) };
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export const route = signal(read());
addEventListener('hashchange', () => (route.value = read()));

/** The address of a page here; what stands between is escaped. */
export const link = (...parts: readonly (string | number)[]): string =>
  `#/${parts.map((part) => encodeURIComponent(String(part))).join('/')}`;
