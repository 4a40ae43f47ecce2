import type { Session } from './api.types.js';

/** What the server refuses, with what to do next (RFC 9457). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly field: string,
    readonly detail: string,
    readonly remedy: string,
    /** Of a stale plan: what has changed since it was made. */
    readonly changes: readonly string[] = [],
    /** And what to send for a plan that fits. */
    readonly again: object | undefined = undefined,
  ) {
    super([detail, remedy].filter(Boolean).join(' — '));
  }
}

const TIMEOUT_MS = 30_000;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const refusalOf = async (response: Response): Promise<Refusal> => {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const detail = text(body['detail']) || `the server answered ${response.status}`;
  const changes = Array.isArray(body['changes']) ? body['changes'].map(String) : [];
  const again = (body['proposeAgain'] as { body?: object } | undefined)?.body;
  const [code, field, remedy] = ['code', 'field', 'remedy'].map((name) => text(body[name])) as [string, string, string];
  return new Refusal(response.status, code, field, detail, remedy, changes, again);
};

const request = async <T>(path: string, options: RequestInit): Promise<T> => {
  let response: Response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new Refusal(
      0,
      'UNAVAILABLE',
      '',
      'the control plane does not answer',
      'what was sent may have arrived: look before you repeat it',
    );
  }
  if (!response.ok) throw await refusalOf(response);
  return (await response.json()) as T;
};

export const get = <T>(path: string): Promise<T> => request<T>(path, { headers: { accept: 'application/json' } });

export interface Sent {
  readonly csrf: string;
  /** The server does what is sent with one key once. */
  readonly key?: string;
}

export const send = <T>(method: 'POST' | 'DELETE', path: string, body: object, { csrf, key }: Sent): Promise<T> =>
  request<T>(path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(csrf && { 'x-cadastre-csrf': csrf }),
      ...(key && { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
  });

export const getSession = (): Promise<Session> => get<Session>('/api/v1/session');

/** A path of the API; what stands between is escaped. */
export const path = (parts: TemplateStringsArray, ...values: readonly (string | number)[]): string =>
  parts.reduce((all, part, i) => all + encodeURIComponent(String(values[i - 1])) + part);
