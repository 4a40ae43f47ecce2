import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import type { KeyspaceSpec } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { forEachConcurrently, TestCluster } from '@cadastre/testkit';
import { complaintsOf, goTo, launch, overflow, shoot as shootPage } from './page-kit.js';

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
let complaints: string[];

beforeAll(async () => {
  [cluster, browser] = await Promise.all([TestCluster.start({ controlPlanes: 2, agents: 6, zones: 3 }), launch()]);
  await cluster.createKeyspace(spec);
  const client = await cluster.client();
  const records = Array.from({ length: RECORDS }, (_, i) => `package-${i}`);
  await forEachConcurrently(records, 32, (key) => client.keyspace(KEYSPACE).put(key, key.repeat(20)));
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page);
}, 150_000);
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
}, 30_000);

const shoot = (name: string): Promise<void> => shootPage(page, `approve-${name}`);
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

/** All rows, though only those in sight exist: scrolls through the list as a reader does. */
const rowsShown = async (): Promise<string[]> => {
  const rows = new Map<number, string>();
  const count = Number(await page.getAttribute('#moves', 'aria-rowcount')) - 1;
  for (let top = 0; rows.size < count && top < count * 100; top += 200) {
    await page.evaluate(`document.getElementById('moves').scrollTop = ${top}`);
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    for (const row of await page.locator('#moves .vrow').all()) {
      const cells = await row.locator('[data-label=step], [role=rowheader], [data-label=change]').allTextContents();
      rows.set(Number(await row.getAttribute('aria-rowindex')), cells.join(' '));
    }
  }
  return [...rows].sort(([a], [b]) => a - b).map(([, text]) => text);
};

describe('a person at the page of a real cluster', () => {
  it('sees the seventh agent come, proposes, reads, approves, and watches to the end', async () => {
    // Plan: all by mouse and keyboard on one page that is never reloaded; what the page showed is what gRPC says was run.
    await page.goto(cluster.url);
    await page.waitForSelector('body[data-link=live]');
    await page.evaluate('window.neverReloaded = true');
    await goTo(page, 'topology');
    await cardOf('n6').waitFor();
    expect(await cardOf('n7').count()).toBe(0);

    await cluster.startAgent(7);
    await cardOf('n7').locator('.chip', { hasText: 'up' }).waitFor({ timeout: 15_000 });
    await goTo(page, 'overview');
    await page.fill('#actor', 'mara');
    await page.fill('#propose-reason', 'n7 has come');
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
    expect(await page.textContent('#plan-title')).toBe(`Ended plan ${id}`);
    expect(await page.textContent('.digest')).toBe(digest);

    const ended = await cluster.plan(id);
    expect(ended).toMatchObject({ state: 'completed', digest });
    expect(ended.moves.every((m) => m.phase === 'done')).toBe(true);
    expect(ended.events.find((e) => e.what.startsWith('approved'))).toMatchObject({
      actor: 'mara',
      what: 'approved: read every move',
    });
    expect(await page.textContent('#plan-events')).toContain('approved: read every move');

    const n7 = (await cluster.nodes()).nodes.find((n) => n.entry!.id === 'n7')!;
    expect(n7.replicas).toBe(proposed.nodes.find((n) => n.node === 'n7')!.replicasAfter);
    await shoot('completed');
    await goTo(page, 'topology');
    await cardOf('n7')
      .locator('.measure', { hasText: 'replicas' })
      .locator('.measure-value', { hasText: new RegExp(`^${n7.replicas}$`) })
      .waitFor();
    await goTo(page, 'overview');
    await page.waitForSelector('#health[data-tone=good]');
    await shoot('overview');
    expect(await overflow(page)).toBe(0);
    expect(complaints).toEqual([]);
  }, 120_000);
});
