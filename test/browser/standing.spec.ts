import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { OperatorFake } from './operator-fake.js';
import { complaintsOf, goTo, launch, overflow, seriousViolations, shoot } from './page-kit.js';
import type { PageServer } from './page-server.js';
import { startPageServer } from './page-server.js';

const EVIL = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">';

let browser: Browser;
let server: PageServer;
let operations: OperatorFake;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), startPageServer(new OperatorFake())]);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});
beforeEach(async () => {
  operations = new OperatorFake();
  operations.fill().propose();
  server.use(operations);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page);
});
afterEach(() => page.close());

const open = async (hash = ''): Promise<void> => {
  await page.goto(server.url + hash);
  await page.waitForSelector('body[data-link=live]');
};

describe('what stands between a plan and its run', () => {
  it('is on every page while the cluster is frozen', async () => {
    // Plan: a freeze with markup in its words appears live on each page as text, and goes when it is lifted.
    await open('/#/overview');
    expect(await page.locator('#freeze').count()).toBe(0);
    operations.freezes = [{ by: 'person', actor: 'mara', because: EVIL, sinceMs: Date.now() }];
    server.touch();
    for (const name of ['plans', 'topology', 'keyspaces', 'lookup', 'events', 'overview']) {
      await goTo(page, name);
      await page.locator('#freeze', { hasText: EVIL }).waitFor();
    }
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await seriousViolations(page)).toEqual([]);
    await shoot(page, 'standing-frozen');
    operations.freezes = [];
    server.touch();
    await page.locator('#freeze').waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
  });

  it('is said when the plan has become stale, with a new plan one click away', async () => {
    // Plan: approval is refused as stale; the plan stays readable, the refusal names the change, the button proposes anew.
    operations.staleBecause = ['node n3 is down'];
    await open('/#/plans/7c1e44d0');
    await page.fill('#actor', 'lin');
    await page.click('button[data-verb=approve]');
    await page.locator('#act-message', { hasText: 'node n3 is down' }).waitFor();
    expect(await page.getAttribute('#moves', 'aria-rowcount')).toBe('43');
    expect(operations.acts).toEqual([]);
    await shoot(page, 'standing-stale');
    await page.click('button[data-verb=propose-again]');
    await page.locator('#stale').waitFor({ state: 'detached' });
    expect(operations.acts).toMatchObject([{ action: 'propose', actor: 'lin' }]);
  });

  it('is who must still agree, when a run may begin, and what holds it up', async () => {
    // Plan: one approval of two, a shut window that is too short, markup in each; then a throttled run with its cause.
    operations.plan = {
      ...operations.plan!,
      approvals: [{ actor: EVIL, atMs: Date.now(), reason: 'seen' }],
      approvalsNeeded: 2,
      approvalsBecause: ['crosses-a-zone'],
      window: {
        name: 'night',
        zone: 'Europe/Berlin',
        open: false,
        opensMs: Date.now() + 7_200_000,
        fits: 'no',
        because: EVIL,
      },
    };
    await open('/#/plans/7c1e44d0');
    await page.locator('#approvals', { hasText: '1 of 2 approvals' }).waitFor();
    expect(await page.textContent('#approvals')).toContain('crosses-a-zone');
    expect(await page.textContent('#window')).toContain('fits: no');
    await shoot(page, 'standing-approvals');
    operations.become('executing', ['pause', 'cancel'], {
      movesDone: 3,
      progress: {
        condition: 'throttled',
        because: `by the limit of n3 ${EVIL}`,
        bytesDone: 9e9,
        bytesTotal: 5e10,
        bytesPerSecond: 4e6,
        etaLowMs: 60_000,
        etaHighMs: 90_000,
      },
    });
    server.touch();
    await page.locator('#plan-standing', { hasText: 'by the limit of n3' }).waitFor();
    expect(await page.textContent('#plan-run')).toContain('1 min 0 s to 1 min 30 s left');
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await overflow(page)).toBe(0);
    expect(await seriousViolations(page)).toEqual([]);
    await shoot(page, 'standing-throttled');
    expect(complaints).toEqual([]);
  });
});

describe('what an operator turns', () => {
  it('freezes all that moves, with a reason, and lets it go on', async () => {
    // Plan: without a reason nothing is sent; with one the banner names who and why; unfreezing takes it away.
    await open('/#/overview');
    await page.fill('#actor', 'lin');
    await page.click('button[data-verb=freeze]');
    await page.locator('#freeze-message', { hasText: 'Give a reason' }).waitFor();
    expect(operations.freezes).toEqual([]);
    await page.fill('#freeze-reason', 'storage is slow');
    await page.click('button[data-verb=freeze]');
    server.touch();
    await page.locator('#freeze', { hasText: 'by lin: storage is slow' }).waitFor();
    await page.fill('#freeze-reason', 'storage is well again');
    await page.click('button[data-verb=unfreeze-person]');
    server.touch();
    await page.locator('#freeze').waitFor({ state: 'detached' });
    expect(operations.freezes).toEqual([]);
  });

  it('empties a node after it was shown what that means', async () => {
    // Plan: the button opens the question, nothing is sent; the second button sends who and why; closing leaves the node alone.
    await open('/#/topology');
    await page.fill('#actor', 'lin');
    await page.click('button[aria-label="Drain n2"]');
    await page.locator('#drain', { hasText: 'Empty n2' }).waitFor();
    await page.locator('#preflight', { hasText: 'all of its copies could leave' }).waitFor();
    expect(operations.acts).toEqual([]);
    await page.fill('#drain-reason', 'new disks');
    await shoot(page, 'standing-drain');
    await page.click('#drain button[data-verb=drain]');
    await page.locator('#drain-message', { hasText: 'is to be emptied' }).waitFor();
    expect(operations.acts).toMatchObject([{ action: 'drain', id: 'n2', actor: 'lin', reason: 'new disks' }]);
    await page.click('#drain button:text-is("Close")');
    await page.locator('#drain').waitFor({ state: 'detached' });
  });

  it('slows a run down while it runs', async () => {
    // Plan: the slider by keyboard; the server gets the new rate in bytes a second, and the page says what holds.
    const asked: unknown[] = [];
    operations.changeSettings = async (change?: unknown) => {
      asked.push(change);
      const settings = { ...operations.settings(), nodeBytesPerSecond: 512 * 1024 * 1024 };
      operations.settings = () => settings;
      return settings;
    };
    operations.become('executing', ['pause', 'cancel'], { movesDone: 3 });
    await open('/#/plans/7c1e44d0');
    await page.fill('#actor', 'lin');
    await page.focus('#nodeBytesPerSecond');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await page.locator('#throttle-message', { hasText: 'MiB/s from now on' }).waitFor();
    expect(asked[0]).toEqual({ nodeBytesPerSecond: 1024 * 1024 * 1024 });
    expect(await page.textContent('#throttle')).toContain('512 MiB/s');
  });

  it('finds where a key lives', async () => {
    // Plan: the page and the REST route name the same partition and token; a key that is no base64 is refused in words.
    const told = (await (await fetch(`${server.url}/api/v1/keyspaces/orders/locate?key=alice`)).json()) as {
      partition: number;
      token: string;
    };
    await open('/#/lookup');
    await page.fill('#lookup-key', 'alice');
    await page.keyboard.press('Enter');
    await page.locator('#lookup-found', { hasText: `partition ${told.partition} of orders` }).waitFor();
    expect(await page.textContent('#lookup-token')).toBe(told.token);
    expect(await page.textContent('#lookup')).toContain('cadastre locate orders alice');
    await shoot(page, 'standing-lookup');
    await page.click('#lookup-found a');
    await page.locator('#partition', { hasText: `orders/${told.partition}` }).waitFor();
  });
});
