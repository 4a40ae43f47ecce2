import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { FakeOperations } from './fake-operations.js';
import { complaintsOf, goTo, launch, overflow, seriousViolations, shoot } from './page-kit.js';
import type { PageServer } from './page-server.js';
import { startPageServer } from './page-server.js';

const ID = '7c1e44d0';
let browser: Browser;
let server: PageServer;
let operations: FakeOperations;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), startPageServer(new FakeOperations())]);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

const open = async (hash = '', options: Parameters<Browser['newPage']>[0] = {}): Promise<void> => {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  complaints = complaintsOf(page);
  await page.goto(server.url + hash);
  await page.waitForSelector('body[data-link=live]');
};

beforeEach(() => {
  operations = new FakeOperations();
  server.use(operations);
});
afterEach(() => page?.close());

const PAGES = [
  ['#/overview', '#decisions'],
  ['#/topology', '#nodes'],
  ['#/keyspaces/orders?partition=3', '#partition'],
  ['#/lookup', '#lookup'],
  ['#/plans', '#plans table'],
  ['#/events', '#events li'],
] as const;

describe('the page', () => {
  it('says what is missing while there is nothing', async () => {
    // Plan: an empty cluster shows a sentence and a command in each part, and a proposal says why there is nothing to do.
    await open();
    expect(await page.textContent('#health-text')).toBe('Healthy; there is no keyspace yet.');
    expect(await page.textContent('#keyspaces')).toContain('cadastre keyspace create');
    expect(await page.textContent('header')).toContain('Access is open on this machine');
    await page.fill('#actor', 'mara');
    await page.click('button[data-verb=propose]');
    await page.waitForSelector('#propose-message:not([hidden])');
    expect(await page.textContent('#propose-message')).toContain('there are no nodes');
    await shoot(page, 'page-empty');
    await goTo(page, 'topology');
    expect(await page.textContent('#zones')).toContain('No node has registered yet');
    await goTo(page, 'plans');
    await page.locator('#plans', { hasText: 'No plan has been proposed yet' }).waitFor();
    await goTo(page, 'events');
    await page.locator('#events', { hasText: 'Nothing has happened yet' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('lets a person read, approve, pause and cancel a plan', async () => {
    // Plan: the whole life of a plan by mouse; each act reaches the server with actor, reason and the digest that was read.
    operations.fill().propose();
    await open();
    await page.click('#decisions a');
    await page.waitForSelector('button[data-verb=approve]');
    expect(await page.textContent('#plan-summary')).toContain('minimal');
    expect(await page.getAttribute('#moves', 'aria-rowcount')).toBe('43');
    expect(await page.locator('#moves .vrow').first().textContent()).toContain('copy n1 → n7');
    expect(await page.textContent('#cli')).toContain('cadastre plan approve 7c1e44d0 --digest 9f2c4b7a');
    await shoot(page, 'page-proposed');

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
    await shoot(page, 'page-running');

    await page.click('button[data-verb=pause]');
    await page.waitForSelector('button[data-verb=resume]');
    await page.click('button[data-verb=cancel]');
    expect(await page.textContent('#act-message')).toContain('Give a reason');
    await page.fill('#reason', 'wrong hour');
    await page.click('button[data-verb=cancel]');
    await page.waitForSelector('button[data-verb=propose]');
    expect(await page.textContent('#plan-state')).toBe('cancelled');
    expect(operations.acts.map((a) => a.action)).toEqual(['approve', 'pause', 'cancel']);
    await shoot(page, 'page-cancelled');
    expect(complaints).toEqual([]);
  });

  it('shows what the server refuses, with its remedy', async () => {
    // Plan: the plan changes on the server between reading and approving; the refusal is readable beside the button.
    operations.fill().propose();
    await open(`/#/plans/${ID}`);
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
    await open(`/#/plans/${ID}`);
    await page.locator('#plan-events', { hasText: evil }).waitFor();
    expect(await page.textContent('#plan-summary')).toContain(evil);
    for (const [name, part] of [
      ['topology', '#zones'],
      ['events', '#events'],
    ] as const) {
      await goTo(page, name);
      await page.locator(part, { hasText: evil }).waitFor();
      expect(await page.evaluate('window.hacked')).toBeUndefined();
      expect(await page.locator('main img').count()).toBe(0);
    }
  });

  it('says so when the server is gone, and recovers by itself', async () => {
    // Plan: the server stops and comes back on the same port; the page shows reconnecting, keeps its numbers, then is live again.
    operations.fill().propose();
    await open(`/#/plans/${ID}`);
    const { port } = server;
    await server.stop();
    await page.waitForSelector('body[data-link=reconnecting]');
    expect(await page.textContent('#link')).toBe('Reconnecting');
    expect(await page.getAttribute('#moves', 'aria-rowcount')).toBe('43');
    await shoot(page, 'page-reconnecting');
    server = await startPageServer(operations, port);
    await page.waitForSelector('body[data-link=live]', { timeout: 20_000 });
  }, 40_000);

  it('can be used by keyboard alone', async () => {
    // Plan: tab from the top to the approve button and press Enter; focus is visible on the way.
    operations.fill().propose();
    await open(`/#/plans/${ID}`);
    await page.fill('#actor', 'lin');
    for (let i = 0; i < 16; i += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate("document.activeElement.dataset.verb === 'approve'")) break;
    }
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    await page.waitForSelector('button[data-verb=pause]');
  });

  for (const [name, options] of [
    ['wide', {}],
    ['narrow', { viewport: { width: 400, height: 860 } }],
    ['dark', { colorScheme: 'dark' }],
  ] as const) {
    it(`fits, and axe finds nothing serious: ${name}`, async () => {
      // Plan: no sideways scrolling of the whole page on any page and in any state of a plan, and no serious violation.
      operations.fill().propose();
      await open(`/#/plans/${ID}`, options);
      await page.waitForSelector('button[data-verb=approve]');
      expect(await overflow(page)).toBe(0);
      await shoot(page, `page-${name}-proposed`);
      operations.become('executing', ['pause', 'cancel'], { movesDone: 3 });
      server.touch();
      await page.waitForSelector('button[data-verb=pause]');
      expect(await overflow(page)).toBe(0);
      await shoot(page, `page-${name}-running`);
      expect(await seriousViolations(page)).toEqual([]);
      for (const [to, part] of PAGES) {
        await page.goto(`${server.url}/${to}`);
        await page.locator(part).waitFor();
        expect({ to, overflow: await overflow(page) }).toEqual({ to, overflow: 0 });
        expect(await seriousViolations(page)).toEqual([]);
        await shoot(page, `page-${name}-${to.split('/')[1]}`);
      }
      expect(complaints).toEqual([]);
    }, 60_000);
  }
});
