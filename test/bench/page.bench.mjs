// The page in a real Chromium over the real HTTP side: how long a plan of 1,000 moves takes from the change of the address to the painted
// frame in which its first move and the count stand, and how many frames a second panning over 16,384 partitions draws, zoomed out and
// in. Baselines of the same run: a plan of 40 moves, a keyspace of 64 partitions. `--rounds N`, `--frames N`.
import '../simulation/hooks.mjs';
import { argument, compare, print, round, summarise } from './support/figures.mjs';

const { FakeOperations } = await import('../browser/fake-operations.ts');
const { fillBig } = await import('../browser/big-world.ts');
const { launch } = await import('../browser/page-kit.ts');
const { panTo } = await import('../browser/grid-pan.ts');
const { startPageServer } = await import('../browser/page-server.ts');

const ZOOMS = [0, 4, 8];
const rounds = argument('rounds', 20);
const frames = argument('frames', 240);
const browser = await launch();
try {
  const small = await measure(64, 40);
  const big = await measure(16_384, 1_000);
  print({ bench: 'page', what: 'plan of 40 moves, address to painted, ms', ...small.plan });
  print({
    bench: 'page',
    what: 'plan of 1,000 moves, address to painted, ms',
    ...big.plan,
    ...compare(big.plan, small.plan),
    limitMs: 1_000,
  });
  for (const [i, zoom] of ZOOMS.entries()) {
    const [ours, baseline] = [big.pans[i], small.pans[i]];
    print({ bench: 'page', what: `64 partitions, pan, zoom ${zoom}`, ...baseline });
    print({
      bench: 'page',
      what: `16,384 partitions, pan, zoom ${zoom}`,
      ...ours,
      ...compare(ours, baseline),
      limitFps: 50,
    });
  }
} finally {
  await browser.close();
}

async function measure(partitions, moves) {
  const server = await startPageServer(fillBig(new FakeOperations(), partitions, moves));
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  try {
    const plan = [];
    for (let i = 0; i < rounds; i += 1) plan.push(await planTime(page, server.url, moves));
    const pans = [];
    for (const zoom of ZOOMS) pans.push(await pan(page, server.url, zoom));
    return { plan: summarise(plan), pans };
  } finally {
    await page.close();
    await server.stop();
  }
}

async function planTime(page, url, moves) {
  await page.goto(`${url}/#/overview`);
  await page.reload();
  await page.waitForSelector('body[data-link=live]');
  return page.evaluate(`new Promise((done) => {
    const began = performance.now();
    const look = () => {
      const list = document.getElementById('moves');
      if (list?.querySelector('.vrow') && list.getAttribute('aria-rowcount') === '${moves + 1}')
        requestAnimationFrame(() => done(performance.now() - began));
      else requestAnimationFrame(look);
    };
    location.hash = '#/plans/7c1e44d0';
    requestAnimationFrame(look);
  })`);
}

/** Times between frames, ms, and what the canvas drew in them. */
async function pan(page, url, steps) {
  await page.goto(`${url}/#/keyspaces/orders`);
  await page.reload();
  await page.locator('#grid[data-frames]').waitFor();
  await page.evaluate(panTo({ frames: 30, steps }));
  const [, drawn, took] = await page.evaluate(panTo({ frames, steps: 0 }));
  const tookMs = took.reduce((sum, each) => sum + each, 0);
  return { ...summarise(took), framesPerSecond: round((drawn * 1000) / tookMs) };
}
