import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { findChromium } from '../../tools/chromium.mjs';
import { FakeOperations } from './fake-operations.js';
import type { PageServer } from './page-server.js';
import { startPageServer } from './page-server.js';

const shots = process.env['CADASTRE_SHOTS'];
let browser: Browser;
let server: PageServer;
let operations: FakeOperations;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  const { path } = await findChromium();
  browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
}, 120_000);
afterAll(() => browser?.close());

const open = async (options: Parameters<Browser['newPage']>[0] = {}): Promise<void> => {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(server.url);
  await page.waitForSelector('body[data-link=live]');
};

const shoot = async (name: string): Promise<void> => {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
};

const overflow = (): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

beforeEach(async () => {
  operations = new FakeOperations();
  server = await startPageServer(operations);
});
afterEach(async () => {
  await page?.close();
  await server.stop();
});

describe('the page', () => {
  it('says what is missing while there is nothing', async () => {
    // Plan: an empty cluster shows a sentence and a command in each part, and a proposal says why there is nothing to do.
    await open();
    expect(await page.textContent('#health-text')).toBe('Healthy; there is no keyspace yet.');
    expect(await page.textContent('#zones')).toContain('No node has registered yet');
    expect(await page.textContent('#keyspace-table')).toContain('cadastre keyspace create');
    await page.fill('#actor', 'mara');
    await page.click('button[data-verb=propose]');
    await page.waitForSelector('#act-message:not([hidden])');
    expect(await page.textContent('#act-message')).toContain('there are no nodes');
    await shoot('empty');
    expect(complaints).toEqual([]);
  });

  it('lets a person read, approve, pause and cancel a plan', async () => {
    // Plan: the whole life of a plan by mouse; each act reaches the server with actor, reason and the digest that was read.
    operations.fill().propose();
    await open();
    await page.waitForSelector('button[data-verb=approve]');
    expect(await page.textContent('#plan-summary')).toContain('minimal');
    expect(await page.locator('table.moves tbody tr').count()).toBe(42);
    expect(await page.textContent('#cli')).toContain('cadastre plan approve 7c1e44d0 --digest 9f2c4b7a');
    await shoot('proposed');

    await page.click('button[data-verb=approve]');
    expect(await page.textContent('#act-message')).toContain('Say who you are');
    expect(operations.acts).toEqual([]);
    await page.fill('#actor', 'lin');
    await page.fill('#reason', 'reviewed with mara');
    await page.click('button[data-verb=approve]');
    await page.waitForSelector('button[data-verb=pause]');
    expect(operations.acts[0]).toMatchObject({
      action: 'approve',
      actor: 'lin',
      reason: 'reviewed with mara',
      digest: operations.plan!.digest,
    });
    expect(await page.textContent('#plan-run')).toContain('3 of 42 moves');
    await shoot('running');

    await page.click('button[data-verb=pause]');
    await page.waitForSelector('button[data-verb=resume]');
    await page.click('button[data-verb=cancel]');
    expect(await page.textContent('#act-message')).toContain('Give a reason');
    await page.fill('#reason', 'wrong hour');
    await page.click('button[data-verb=cancel]');
    await page.waitForSelector('button[data-verb=propose]');
    expect(operations.acts.map((a) => a.action)).toEqual(['approve', 'pause', 'cancel']);
    await shoot('cancelled');
    expect(complaints).toEqual([]);
  });

  it('shows what the server refuses, with its remedy', async () => {
    // Plan: the plan changes on the server between reading and approving; the refusal is readable beside the button.
    operations.fill().propose();
    await open();
    await page.fill('#actor', 'lin');
    operations.plan = { ...operations.plan!, digest: '0'.repeat(64) };
    server.touch();
    await page.locator('.digest', { hasText: '0000' }).waitFor();
    await page.click('button[data-verb=approve]');
    await page.waitForSelector('#act-message:not([hidden])');
    expect(await page.textContent('#act-message')).toBe('the digest is another — read the plan again');
    expect(await page.locator('button[data-verb=approve]').isEnabled()).toBe(true);
  });

  it('never takes words from the cluster for markup', async () => {
    // Plan: a node and a reason that are markup show as text, and nothing runs.
    operations.fill().propose();
    const evil = '<img src=x onerror="window.hacked=1">';
    operations.nodes[0]!.entry!.labels = { zone: evil };
    operations.become('proposed', ['approve'], {
      reason: evil,
      note: evil,
      events: [{ atMs: 1, actor: evil, what: evil }],
    });
    await open();
    expect(await page.textContent('#zones')).toContain(evil);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.locator('main img').count()).toBe(0);
  });

  it('says so when the server is gone, and recovers by itself', async () => {
    // Plan: the server stops and comes back on the same port; the page shows reconnecting, keeps its numbers, then is live again.
    operations.fill().propose();
    await open();
    const { port } = server;
    await server.stop();
    await page.waitForSelector('body[data-link=reconnecting]');
    expect(await page.textContent('#link')).toBe('Reconnecting');
    expect(await page.locator('table.moves tbody tr').count()).toBe(42);
    await shoot('reconnecting');
    server = await startPageServer(operations, port);
    await page.waitForSelector('body[data-link=live]', { timeout: 20_000 });
  }, 40_000);

  it('can be used by keyboard alone', async () => {
    // Plan: tab from the top to the approve button and press Enter; focus is visible on the way.
    operations.fill().propose();
    await open();
    await page.fill('#actor', 'lin');
    for (let i = 0; i < 10; i += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate("document.activeElement.dataset.verb === 'approve'")) break;
    }
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    await page.waitForSelector('button[data-verb=pause]');
  });

  for (const [name, options] of [
    ['narrow', { viewport: { width: 400, height: 860 } }],
    ['dark', { colorScheme: 'dark' }],
  ] as const) {
    it(`fits: ${name}`, async () => {
      // Plan: no sideways scrolling of the whole page in any state of a plan.
      operations.fill().propose();
      await open(options);
      await page.waitForSelector('button[data-verb=approve]');
      expect(await overflow()).toBe(0);
      await shoot(`${name}-proposed`);
      operations.become('executing', ['pause', 'cancel'], { movesDone: 3 });
      server.touch();
      await page.waitForSelector('button[data-verb=pause]');
      expect(await overflow()).toBe(0);
      await shoot(`${name}-running`);
      expect(complaints).toEqual([]);
    });
  }
});
