import type { Page } from 'playwright-core';
import type { Wire } from '@cadastre/contracts';
import type { Store } from '@cadastre/store';
import { keys, moveCodec, planHeadCodec } from '@cadastre/store';
import { until } from '@cadastre/testkit';
import type { UpCluster } from './up-cluster.js';

/** Of one plan, what a person, a program and the register can be asked alike. */
export interface Told {
  readonly state: string;
  readonly digest: string;
  readonly done: number;
  readonly events: readonly string[];
}

export const toldByPage = async (page: Page): Promise<Told> => {
  const events = await page.locator('#plan-events li').evaluateAll((items) => items.map((i) => i.textContent ?? ''));
  const time = await page.locator('#plan-events li time').evaluateAll((items) => items.map((i) => i.textContent ?? ''));
  const run = (await page.locator('#plan-run').allTextContents()).join('');
  return {
    state: (await page.textContent('#plan-state'))!,
    digest: (await page.textContent('.digest'))!,
    done: Number(/([\d,]+) of/.exec(run)?.[1]?.replace(',', '') ?? 0),
    events: events.map((text, i) => text.slice(time[i]!.length).trim()).reverse(),
  };
};

export const toldByCli = async (up: UpCluster, id: string): Promise<Told> => {
  const { state, digest, movesDone, events } = await up.does<Wire.Plan__Output>(['plan', 'show', id]);
  return { state, digest, done: movesDone, events: events.map((e) => `${e.actor} ${e.what}`) };
};

export const toldByEtcd = async (store: Store, id: string): Promise<Told> => {
  const { state, digest, events } = planHeadCodec.decode((await store.get(keys.planHead(id)))!.value);
  const moves = (await store.range(keys.movesOf(id))).kvs.map(({ value }) => moveCodec.decode(value));
  return {
    state,
    digest,
    done: moves.filter((m) => m.phase === 'done').length,
    events: events.map((e) => `${e.actor} ${e.what}`),
  };
};

interface Answer {
  readonly http: number;
  readonly field?: string;
}

/** Asks the API in the name of who is signed in on the page, past every button. */
export const asPerson = (page: Page, path: string, body: object): Promise<Answer> =>
  page.evaluate(`(async () => {
    const { csrf } = await (await fetch('/api/v1/session')).json();
    const headers = { 'content-type': 'application/json', 'x-cadastre-csrf': csrf };
    const reply = await fetch('/api/v1/${path}', { method: 'POST', headers, body: ${JSON.stringify(JSON.stringify(body))} });
    return { ...(await reply.json()), http: reply.status };
  })()`);

export interface AuditLine {
  readonly number: number;
  readonly atMs: number;
  readonly actor: string;
  readonly verb: string;
  readonly subject: string;
  readonly reason: string;
  readonly after: string;
}

/** Oldest first. */
export const auditOf = async (up: UpCluster): Promise<AuditLine[]> => {
  const { entries } = await up.does<{ entries: AuditLine[] }>(['audit', 'list', '--limit', '1000']);
  return entries.sort((a, b) => a.number - b.number);
};

export const idOf = async (page: Page): Promise<string> =>
  (await page.textContent('#plan-title'))!.replace(/^(Ended plan|Plan) /, '');

export const stateIs = (page: Page, state: string, timeout = 60_000): Promise<void> =>
  page.locator(`#plan-state .chip:text-is("${state}")`).waitFor({ timeout });

export const eventually = (what: string, test: () => Promise<boolean>): Promise<void> =>
  until(what, 60_000, test, { everyMs: 100 });
