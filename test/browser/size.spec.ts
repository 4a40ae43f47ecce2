import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { fillBig } from './big-world.js';
import { panTo } from './grid-pan.js';
import { FakeOperations } from './fake-operations.js';
import { complaintsOf, launch, seriousViolations, shoot } from './page-kit.js';
import type { PageServer } from './page-server.js';
import { startPageServer } from './page-server.js';

const ASSETS = new URL('../../apps/control-plane/dist/page/assets/', import.meta.url);
const SCRIPT_BYTES_MAX = 150_000;
const PARTITIONS = 16_384;
const MOVES = 1_000;

let browser: Browser;
let server: PageServer;
let operations: FakeOperations;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  operations = fillBig(new FakeOperations(), PARTITIONS, MOVES);
  [browser, server] = await Promise.all([launch(), startPageServer(operations)]);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

describe('the page of a large cluster', () => {
  it('is small to load', () => {
    // Plan: all scripts of the built page together, gzipped, against the limit.
    const scripts = readdirSync(ASSETS).filter((name) => name.endsWith('.js'));
    const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, ASSETS))).length, 0);
    process.stdout.write(`scripts: ${bytes} bytes gzipped\n`);
    expect(scripts.length).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(SCRIPT_BYTES_MAX);
  });

  it('shows a plan of 1,000 moves and draws those in sight', async () => {
    // Plan: the count, the first move, the last one by scrolling, one by searching; few rows exist at once. How fast: npm run bench -- page.
    await page.goto(`${server.url}/#/plans/7c1e44d0`);
    await page.locator('#moves .vrow', { hasText: 'move 0:' }).waitFor();
    expect(await page.getAttribute('#moves', 'aria-rowcount')).toBe('1001');
    expect(await page.textContent('#moves-count')).toBe('1,000 moves');
    expect(await page.locator('#moves .vrow').count()).toBeLessThan(60);
    await page.evaluate(`document.getElementById('moves').scrollTop = 1e9`);
    await page.locator('#moves .vrow', { hasText: 'move 999:' }).waitFor();
    await page.fill('#moves-find', 'orders/512');
    await page.locator('#moves-count', { hasText: '1 of 1,000' }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('pans over 16,384 partitions, and draws once a frame', async () => {
    // Plan: zoom in and drag, three positions in each frame: another picture, and no frame is drawn twice. How fast: npm run bench -- page.
    await page.goto(`${server.url}/#/keyspaces/orders`);
    await page.locator('#grid[data-frames]').waitFor();
    await shoot(page, 'grid-all');
    const [frames, drawn] = await page.evaluate<[number, number]>(panTo({ frames: 20, steps: 4, eachFrame: 3 }));
    expect(drawn).toBeGreaterThan(0);
    expect(drawn).toBeLessThanOrEqual(frames + 1);
    await shoot(page, 'grid-near');
  });

  it('finds what moves, and tells why', async () => {
    // Plan: filter by moving, by node, by zone; the counts are those of the data. Then one partition by number, its copies, and the reason.
    const records = operations.keyspaces[0]!.records!;
    const moving = records.filter((r) => r.replicas!.some((x) => x.state === 'INITIALIZING'));
    const on = (node: string) => moving.filter((r) => r.replicas!.some((x) => x.node === node)).length;
    await page.selectOption('#grid-show', 'moving');
    await page.locator('#grid-count', { hasText: `${moving.length} of 16,384` }).waitFor();
    await page.selectOption('#grid-node', 'n3');
    await page.locator('#grid-count', { hasText: `${on('n3')} of 16,384` }).waitFor();
    await page.selectOption('#grid-node', '');
    await page.selectOption('#grid-show', 'all');
    await page.fill('#grid-go', '9997');
    await page.keyboard.press('Enter');
    await page.locator('#partition', { hasText: 'orders/9997' }).waitFor();
    await page.locator('#partition select').selectOption('n5');
    await page.locator('#why', { hasText: 'n5 is draining' }).waitFor();
    await page.focus('#grid');
    await page.keyboard.press('ArrowRight');
    await page.locator('#partition', { hasText: 'orders/9998' }).waitFor();
    await shoot(page, 'grid-chosen');
    expect(complaints).toEqual([]);
  });
});
