import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import type { KeyspaceSpec } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { forEachConcurrently, TestCluster } from '@cadastre/testkit';
import { findChromium } from '../../tools/chromium.mjs';

const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));
const KEYSPACE = 'pkgs';
const RECORDS = 500;

const spec: KeyspaceSpec = {
  name: KEYSPACE,
  scheme: { kind: 'hash-slots', slots: 24, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
};

let cluster: TestCluster;
let browser: Browser;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  mkdirSync(ARTEFACTS, { recursive: true });
  const [started, { path }] = await Promise.all([
    TestCluster.start({ controlPlanes: 2, agents: 6, zones: 3 }),
    findChromium(),
  ]);
  cluster = started;
  await cluster.createKeyspace(spec);
  const client = await cluster.client();
  const records = Array.from({ length: RECORDS }, (_, i) => `package-${i}`);
  await forEachConcurrently(records, 32, (key) => client.keyspace(KEYSPACE).put(key, key.repeat(20)));
  browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
}, 150_000);
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
}, 30_000);

const shoot = async (name: string): Promise<void> => {
  await page.evaluate('scrollTo(0, 0)');
  await page.screenshot({ path: join(ARTEFACTS, `approve-${name}.png`), fullPage: true });
};
const cardOf = (node: string) => page.locator('li.node', { has: page.locator(`strong:text-is("${node}")`) });

/** What a row of the page must say of a move. */
const rowOf = (move: Wire.PlanMove__Output): string => {
  const change = {
    replica: `copy ${move.from} → ${move.to}`,
    leader: `leader ${move.from} → ${move.to}`,
    add: `add ${move.to}`,
  };
  return `${move.step} ${move.keyspace}/${move.partition} ${change[move.kind as keyof typeof change]}`;
};

const rowsShown = async (): Promise<string[]> => {
  const rows = await page.locator('table.moves tbody tr').all();
  return Promise.all(
    rows.map(async (row) =>
      (await row.locator('td[data-label=step], th, td[data-label=change]').allTextContents()).join(' '),
    ),
  );
};

describe('a person at the page of a real cluster', () => {
  it('sees the seventh agent come, proposes, reads, approves, and watches to the end', async () => {
    // Plan: all by mouse and keyboard on one page that is never reloaded; what the page showed is what gRPC says was run.
    await page.goto(cluster.url);
    await page.waitForSelector('body[data-link=live]');
    await page.evaluate('window.neverReloaded = true');
    await cardOf('n6').waitFor();
    expect(await cardOf('n7').count()).toBe(0);

    await cluster.startAgent(7);
    await cardOf('n7').locator('.chip', { hasText: 'up' }).waitFor({ timeout: 15_000 });
    await page.fill('#actor', 'mara');
    await page.fill('#reason', 'n7 has come');
    await page.click('button[data-verb=propose]');
    await page.waitForSelector('button[data-verb=approve]', { timeout: 15_000 });

    const digest = (await page.textContent('.digest'))!;
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const id = (await page.textContent('#plan-title'))!.replace('Plan ', '');
    const proposed = await cluster.plan(id);
    expect(proposed).toMatchObject({ state: 'proposed', digest, proposer: 'mara', reason: 'n7 has come' });
    expect(await rowsShown()).toEqual(proposed.moves.map(rowOf));
    expect(proposed.moves[0]!.step).toBe(1);
    expect(await page.textContent('#plan-summary')).toContain('minimal');
    expect(await page.textContent('#cli')).toContain(`cadastre plan approve ${id} --digest ${digest}`);
    await shoot('proposed');

    await page.fill('#reason', 'read every move');
    await page.click('button[data-verb=approve]');
    await page.locator('#plan-state .chip', { hasText: 'executing' }).waitFor({ timeout: 15_000 });
    await shoot('executing');
    await page.locator('#plan-state .chip', { hasText: 'completed' }).waitFor({ timeout: 60_000 });
    expect(await page.evaluate('window.neverReloaded')).toBe(true);
    expect(await page.textContent('#plan-title')).toBe(`Last plan ${id}`);
    expect(await page.textContent('.digest')).toBe(digest);

    const ended = await cluster.plan(id);
    expect(ended).toMatchObject({ state: 'completed', digest });
    expect(ended.moves.every((m) => m.phase === 'done')).toBe(true);
    expect(ended.events.find((e) => e.what.startsWith('approved'))).toMatchObject({
      actor: 'mara',
      what: 'approved: read every move',
    });
    await page.click('#plan-events summary');
    expect(await page.textContent('#plan-events')).toContain('approved: read every move');

    const n7 = (await cluster.nodes()).nodes.find((n) => n.entry!.id === 'n7')!;
    expect(n7.replicas).toBe(proposed.nodes.find((n) => n.node === 'n7')!.replicasAfter);
    await cardOf('n7')
      .locator('.measure', { hasText: 'replicas' })
      .locator('.measure-value', { hasText: new RegExp(`^${n7.replicas}$`) })
      .waitFor();
    await page.waitForSelector('#health[data-tone=good]');
    await shoot('completed');
    expect(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0);
    expect(complaints).toEqual([]);
  }, 120_000);
});
