import { readFile, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { delay } from '@cadastre/runtime';
import type { NodeLabelsConfig } from './config.js';

const RETRY_MS = 500;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const VALUE = /^[^=\s]{1,256}$/;

export interface FoundLabels {
  readonly labels: Readonly<Record<string, string>>;
  /** Labels that were asked for and that the Node has not: unknown, never taken for one and the same place. */
  readonly unknown: readonly string[];
}

/**
 * Reads the labels of one Kubernetes Node and writes those that are asked for into `config.out`, one name=value a line.
 * The downward API does not carry them. Tries again while the API server cannot be reached.
 * @throws CadastreError PERMISSION_DENIED, NOT_FOUND, or UNAVAILABLE after `config.timeoutMs`
 */
export const writeNodeLabels = async (config: NodeLabelsConfig, clock: Clock): Promise<FoundLabels> => {
  const found = pick(config.labelKey, await readNode(config, clock));
  const lines = Object.entries(found.labels).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(`${config.out}.part`, lines.join(''));
  await rename(`${config.out}.part`, config.out);
  return found;
};

const pick = (wanted: readonly string[], labels: Readonly<Record<string, unknown>>): FoundLabels => {
  const result: Record<string, string> = {};
  const unknown: string[] = [];
  for (const pair of wanted) {
    const cut = pair.indexOf('=');
    const value = labels[pair.slice(cut + 1)];
    if (typeof value === 'string' && VALUE.test(value)) result[pair.slice(0, cut)] = value;
    else unknown.push(pair.slice(0, cut));
  }
  return { labels: result, unknown };
};

const readNode = async (config: NodeLabelsConfig, clock: Clock): Promise<Record<string, unknown>> => {
  const until = clock.monotonicMs() + config.timeoutMs;
  for (;;) {
    const answer = await get(config, clock, until).catch((error: unknown) => CadastreError.from(error));
    if (!(answer instanceof CadastreError)) return answer;
    if (answer.code !== 'UNAVAILABLE' || clock.monotonicMs() + RETRY_MS >= until) throw answer;
    await delay(clock, RETRY_MS);
  }
};

const get = async (config: NodeLabelsConfig, clock: Clock, until: number): Promise<Record<string, unknown>> => {
  // Read again for each try: the token is renewed while the pod lives.
  const [token, ca] = await Promise.all([readAccount(config, 'token'), readAccount(config, 'ca.crt')]);
  const url = new URL(`/api/v1/nodes/${config.node}`, config.api);
  const { status, body } = await ask(url, { token: token.trim(), ca, clock, until });
  if (status === 401 || status === 403) throw refused('PERMISSION_DENIED', config.node, status);
  if (status === 404) throw refused('NOT_FOUND', config.node, status);
  if (status !== 200) throw unavailable(url, `answered ${status}`);
  return labelsOf(url, body);
};

const labelsOf = (url: URL, body: string): Record<string, unknown> => {
  try {
    const node = JSON.parse(body) as { metadata?: { labels?: Record<string, unknown> } };
    return node.metadata?.labels ?? {};
  } catch {
    throw unavailable(url, 'gave no JSON');
  }
};

const ask = (
  url: URL,
  { token, ca, clock, until }: { token: string; ca: string; clock: Clock; until: number },
): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    const call = request(url, { ca, headers, minVersion: 'TLSv1.2', agent: false }, (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > BODY_BYTES_MAX) call.destroy(new Error(`gave more than ${BODY_BYTES_MAX} bytes`));
        else parts.push(part);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }));
      answer.on('error', (error) => reject(unavailable(url, error.message)));
    });
    const late = clock.after(Math.max(100, until - clock.monotonicMs()), () =>
      call.destroy(new Error('did not answer in time')),
    );
    call.on('close', () => late.cancel());
    call.on('error', (error) => reject(unavailable(url, error.message)));
    call.end();
  });

const readAccount = async ({ account }: NodeLabelsConfig, name: string): Promise<string> => {
  const path = join(account, name);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CadastreError('INVALID_ARGUMENT', `--account: ${path}: ${(error as NodeJS.ErrnoException).code}`, {
      field: '--account',
      remedy: 'mount a token of the service account there, or give labels with CADASTRE_AGENT_LABEL instead',
    });
  }
};

const refused = (code: 'PERMISSION_DENIED' | 'NOT_FOUND', node: string, status: number): CadastreError =>
  new CadastreError(code, `node ${node}: the API server answered ${status}`, {
    field: '--node',
    remedy:
      code === 'NOT_FOUND'
        ? 'give the name of a node of this cluster'
        : 'let the service account get nodes, or give labels with CADASTRE_AGENT_LABEL instead',
  });

const unavailable = (url: URL, what: string): CadastreError =>
  new CadastreError('UNAVAILABLE', `the API server at ${url.host}: ${what}`, {
    field: '--api',
    remedy: 'see whether a network policy is in the way, or give labels with CADASTRE_AGENT_LABEL instead',
  });
