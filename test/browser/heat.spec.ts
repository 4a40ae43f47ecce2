import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { FakeOperations } from './fake-operations.js';
import { complaintsOf, launch, overflow, seriousViolations, shoot } from './page-kit.js';
import type { PageServer } from './page-server.js';
import { startPageServer } from './page-server.js';

let browser: Browser;
let server: PageServer;
let operations: FakeOperations;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  operations = new FakeOperations().fill();
  [browser, server] = await Promise.all([launch(), startPageServer(operations)]);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

const open = async (hash: string): Promise<void> => {
  await page.goto('about:blank');
  await page.goto(server.url + hash);
  await page.locator('#heat[data-cells]').waitFor();
};

const query = (name: string): Promise<string | null> =>
  page.evaluate<string | null>(`new URLSearchParams(location.hash.split('?')[1]).get('${name}')`);

/** Waits until the map has so many steps and rows. */
const cells = (shape: RegExp): Promise<void> =>
  page.evaluate<void>(`new Promise((done) => {
    const look = () =>
      ${shape}.test(document.getElementById('heat')?.dataset.cells ?? '') ? done() : requestAnimationFrame(look);
    look();
  })`);

describe('the heat map', () => {
  it('is zoomed by a frame, and a click opens the partition', async () => {
    // Plan: 256 partitions in 128 rows; a frame over the hot stretch narrows both sides, the address says so; a click then opens one partition.
    await open('/#/heat/orders');
    await cells(/^6\d 128$/);
    expect(await page.textContent('#hottest tbody tr th')).toBe('orders/102');
    const box = (await page.locator('#heat').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.3);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + box.height * 0.5, { steps: 4 });
    await shoot(page, 'heat-brush');
    await page.mouse.up();
    await cells(/^\d\d? [2-5]\d$/);
    expect(Number(await query('to'))).toBeGreaterThan(Number(await query('from')));
    const first = Number(await query('first'));
    expect(first).toBeGreaterThan(60);
    await page.mouse.click(box.x + box.width * 0.5, box.y + 8);
    await page.locator('#partition', { hasText: `orders/${first}` }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('can be read and zoomed by keys alone', async () => {
    // Plan: to a cell by arrows, which says its figure; a frame with shift, enter zooms, escape shows all; enter on one partition opens it.
    await open('/#/heat/sessions?by=p99');
    await cells(/^6\d 64$/);
    await page.focus('#heat');
    for (const key of ['End', 'PageDown', 'ArrowDown', 'ArrowLeft']) await page.keyboard.press(key);
    await page.locator('#heat-point', { hasText: /ms partition 17/ }).waitFor();
    for (const key of ['Shift+ArrowDown', 'Shift+ArrowDown', 'Enter']) await page.keyboard.press(key);
    await cells(/^1 3$/);
    expect([await query('first'), await query('count')]).toEqual(['17', '3']);
    await page.keyboard.press('Escape');
    await cells(/^6\d 64$/);
    for (const key of ['Home', 'Enter']) await page.keyboard.press(key);
    await page.locator('#partition', { hasText: 'sessions/' }).waitFor();
  });

  it('says what it does not know, and what was refused', async () => {
    // Plan: a keyspace of which nothing was heard; a server that refuses, whose words are shown beside what was there before.
    const known = operations.health;
    operations.health = 'Healthy; there is no keyspace yet.';
    await open('/#/heat/orders');
    await page.locator('#heat-empty', { hasText: 'Nothing was measured here' }).waitFor();
    await page.locator('#heat-since', { hasText: 'knows nothing of before' }).waitFor();
    await shoot(page, 'heat-empty');
    operations.health = known;
    await page.route('**/heat?*', (route) =>
      route.fulfill({
        status: 503,
        contentType: 'application/problem+json',
        body: '{"detail":"this replica is starting"}',
      }),
    );
    await page.selectOption('#heat-by', 'bytes');
    await page.locator('#heat-map .banner', { hasText: 'this replica is starting. What is shown is older.' }).waitFor();
    await page.unroute('**/heat?*');
  });

  it('says on the overview how far those who watch lag', async () => {
    // Plan: two keyspaces, each with the same two of 214 watchers behind.
    await page.goto(`${server.url}/#/overview`);
    await page.locator('#lag', { hasText: '12.4 ms, 2 of 214 behind' }).waitFor();
    await shoot(page, 'overview-lag');
  });

  it.each([
    ['wide', 1280, 'light'],
    ['narrow-dark', 400, 'dark'],
  ] as const)('shows what clients feel of a run: %s', async (name, width, colorScheme) => {
    // Plan: a run in its middle with points to draw, then after its end; the figures are in the table, axe finds nothing serious.
    const figure = (answers: number, p50Us: number, p99Us: number) => ({ answers, p50Us, p99Us });
    const points = Array.from({ length: 60 }, (_, i) => ({
      atMs: Date.now() - (60 - i) * 1_000,
      figure: figure(300, 420 + (i % 5) * 30, i > 20 && i < 26 ? 14_000 : 1_300 + (i % 7) * 90),
    }));
    const latency = { before: figure(12_000, 400, 1_200), during: figure(18_000, 430, 2_600), stepMs: 1_000, points };
    operations.propose();
    operations.become('executing', ['pause', 'cancel'], { latency, startedMs: Date.now() - 60_000, movesDone: 3 });
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await page.goto('about:blank');
    await page.goto(`${server.url}/#/plans/7c1e44d0`);
    await page.locator('#plan-latency tbody tr', { hasText: /while it runs18,0000.43 ms2.6 ms/ }).waitFor();
    await page.locator('#plan-latency canvas').waitFor();
    expect(await overflow(page)).toBe(0);
    expect(await seriousViolations(page)).toEqual([]);
    await shoot(page, `run-latency-${name}`);
    operations.become('completed', [], { latency: { ...latency, after: figure(9_000, 410, 1_210) } });
    server.touch();
    await page.locator('#plan-latency tbody tr', { hasText: 'the minute after9,0000.41 ms1.21 ms' }).waitFor();
    operations.plan = undefined;
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it('shows in the grid of partitions which are hot', async () => {
    // Plan: of 256 partitions those are left that have three times the mean of reads or writes; the hottest is among them.
    await page.goto(`${server.url}/#/keyspaces/orders`);
    await page.locator('#grid[data-frames]').waitFor();
    await page.selectOption('#grid-show', 'hot');
    await page.locator('#grid-count', { hasText: /^(\d|1\d|2\d) of 256/ }).waitFor();
    await page.locator('#grid-hot', { hasText: '3 times the mean' }).waitFor();
    await shoot(page, 'grid-hot');
  });

  it.each([
    ['wide', 1280, 'light', 'reads', 600_000],
    ['wide-dark', 1280, 'dark', 'p99', 3_600_000],
    ['narrow', 400, 'light', 'writes', 3_600_000],
    ['narrow-dark', 400, 'dark', 'bytes', 600_000],
  ] as const)('fits, and axe finds nothing serious: %s', async (name, width, colorScheme, metric, window) => {
    // Plan: each metric once, in a width and a colour scheme of its own.
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await open(`/#/heat/orders?by=${metric}&window=${window}`);
    await page.locator('#hottest tbody tr').first().waitFor();
    expect(await overflow(page)).toBe(0);
    expect(await seriousViolations(page)).toEqual([]);
    await shoot(page, `heat-${name}`);
  });
});
