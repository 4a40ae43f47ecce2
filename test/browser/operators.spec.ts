import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { CadastreClient } from '@cadastre/client';
import type { Wire } from '@cadastre/contracts';
import { EtcdStore } from '@cadastre/store';
import { forEachConcurrently } from '@cadastre/testkit';
import { asPerson, auditOf, eventually, idOf, stateIs, toldByCli, toldByEtcd, toldByPage } from './operators-kit.js';
import { complaintsOf, goTo, launch, overflow, shoot as shootPage } from './page-kit.js';
import { UpCluster } from './up-cluster.js';

const KEYSPACE = 'pkgs';
const PARTITIONS = 24;
const RECORDS = 192;
const RECORD_BYTES = 65_536;
/** So slow that no run ends while a test looks at it, however busy the machine is. */
const SLOW = '0.25MiB/s';
const SLOWEST = '64KiB/s';
const PASSWORD = 'correct horse battery';
const PEOPLE = {
  mara: ['operator', 'approver'],
  anna: ['operator', 'approver'],
  vera: ['viewer'],
  ada: ['admin'],
} as const;
type Name = keyof typeof PEOPLE;

let up: UpCluster;
let browser: Browser;
let store: EtcdStore;
const complaints = new Map<Page, string[]>();

const policy = (more: object = {}): Promise<unknown> =>
  up.does(
    ['approval-policy', '--set', '-', '--reason', 'house rules'],
    JSON.stringify({ fourEyes: true, reasonRequired: true, ...more }),
  );

beforeAll(async () => {
  [up, browser] = await Promise.all([
    UpCluster.start('--access', 'required', '--agents', '5', '--routers', '0'),
    launch(),
  ]);
  store = new EtcdStore({ endpoints: up.etcd });
  const people = Object.entries(PEOPLE).map(([name, roles]) =>
    up.does(['user', 'add', name, ...roles.flatMap((role) => ['--role', role])], `${PASSWORD}\n`),
  );
  await Promise.all([
    ...people,
    policy(),
    up.does(['throttle', '--node', SLOW]),
    up.does(['keyspace', 'create', KEYSPACE, '--partitions', String(PARTITIONS), '--spread', 'zone=1']),
  ]);
  const client = await CadastreClient.connect({ controlPlanes: [...up.controlPlanes] });
  const records = Array.from({ length: RECORDS }, (_, i) => `package-${i}`);
  await forEachConcurrently(records, 16, (key) => client.keyspace(KEYSPACE).put(key, 'x'.repeat(RECORD_BYTES)));
  await client.close();
}, 150_000);
afterAll(async () => {
  await browser?.close();
  store?.close();
  await up?.stop();
}, 30_000);

/** Signs in as a person does, in a browser of their own, at one of the replicas. */
const enter = async (name: Name, replica: string, hash = ''): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(up.url(replica) + hash);
  await page.fill('#login-name', name);
  await page.fill('#login-password', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForSelector('body[data-link=live]');
  complaints.set(page, complaintsOf(page));
  return page;
};

/** At both widths, and as it is on the way between them nothing sticks out. */
const shoot = async (page: Page, name: string): Promise<void> => {
  await shootPage(page, `operators-${name}`);
  await page.setViewportSize({ width: 400, height: 860 });
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  expect({ name, overflow: await overflow(page) }).toEqual({ name, overflow: 0 });
  await shootPage(page, `operators-${name}-narrow`);
  await page.setViewportSize({ width: 1280, height: 900 });
};

const replicas = async (): Promise<{ active: string; other: string }> => {
  const { active } = await up.does<{ active: string }>(['status']);
  return { active, other: active === 'cp1' ? 'cp2' : 'cp1' };
};

const planOf = (id: string): Promise<Wire.Plan__Output> => up.does(['plan', 'show', id]);

const cardOf = (page: Page, node: string) =>
  page.locator('li.node', { has: page.locator(`strong:text-is("${node}")`) });

/** By the form of the overview. @returns id of the plan that is then on the page */
const propose = async (page: Page, reason: string): Promise<string> => {
  await goTo(page, 'overview');
  await page.fill('#propose-reason', reason);
  await page.click('button[data-verb=propose]');
  await page.waitForSelector('button[data-verb=approve]', { timeout: 15_000 });
  return idOf(page);
};

const act = async (page: Page, verb: string, reason = ''): Promise<void> => {
  await page.fill('#reason', reason);
  await page.click(`button[data-verb=${verb}]`);
};

const see = async (page: Page, id: string): Promise<void> => {
  await page.evaluate(`location.hash = '#/plans/${id}'`);
  await page.locator('#plan-title', { hasText: id }).waitFor();
};

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
const rowsShown = async (page: Page): Promise<string[]> => {
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

/** Page, command line and register say the same of a plan that stands still. */
const expectOneTruth = async (id: string, ...pages: Page[]): Promise<void> => {
  const truth = await toldByEtcd(store, id);
  expect(await toldByCli(up, id)).toEqual(truth);
  for (const page of pages) {
    await eventually('the page has caught up', async () => (await toldByPage(page)).done === truth.done);
    expect(await toldByPage(page)).toEqual(truth);
  }
};

describe('operators at the pages of a real cluster that asks who they are', () => {
  it('read, refuse and approve by two pairs of eyes, slow, stop and end a run, through the death of its controller', async () => {
    // Plan: a node comes; mara proposes and may not approve, vera may do nothing, anna approves what she read; the active control plane,
    // whose page mara is on, is killed in the middle; paused and unthrottled, what is under way ends, nothing begins, and all tell the same;
    // resumed, it ends; then the way back.
    const { active, other } = await replicas();
    const [mara, anna, vera] = await Promise.all([
      enter('mara', active),
      enter('anna', other),
      enter('vera', other, '/#/plans'),
    ]);
    await mara.evaluate('window.neverReloaded = true');
    await goTo(mara, 'topology');
    await cardOf(mara, 'n5').waitFor();
    expect(await cardOf(mara, 'n6').count()).toBe(0);
    await up.does(['agent', 'add']);
    await cardOf(mara, 'n6').locator('.chip', { hasText: 'up' }).waitFor({ timeout: 15_000 });
    const id = await propose(mara, 'n6 has come');

    const proposed = await planOf(id);
    const digest = (await mara.textContent('.digest'))!;
    expect(proposed).toMatchObject({ state: 'proposed', digest, proposer: 'local:mara', reason: 'n6 has come' });
    expect(await rowsShown(mara)).toEqual(proposed.moves.map(rowOf));
    expect(await mara.textContent('#plan-summary')).toContain('minimal');
    expect(await mara.textContent('#refused')).toContain('Approve: you proposed it; somebody else has to approve.');
    expect(await mara.locator('button[data-verb=approve]').isDisabled()).toBe(true);
    expect(await asPerson(mara, `plans/${id}/approve`, { digest, reason: 'trust me' })).toMatchObject({
      http: 403,
      field: 'actor',
    });
    await shoot(mara, 'proposed-by-me');

    await see(vera, id);
    await vera.locator('#refused', { hasText: 'Approve, Reject: your roles do not let you approve here.' }).waitFor();
    expect(await vera.locator('button[data-verb]').count()).toBe(0);
    for (const [path, body] of [
      [`plans/${id}/approve`, { digest, reason: 'x' }],
      [`plans/${id}/reject`, { reason: 'x' }],
      ['plans', { reason: 'x' }],
      ['nodes/n1/drain', { reason: 'x' }],
      ['freeze', { reason: 'x' }],
    ] as const)
      expect({ path, ...(await asPerson(vera, path, body)) }).toMatchObject({ path, http: 403, field: 'role' });
    await shoot(vera, 'proposed-for-a-viewer');

    await anna.locator('nav .waits').waitFor();
    await see(anna, id);
    await act(anna, 'approve', 'read every move');
    await stateIs(anna, 'executing');
    await stateIs(mara, 'executing');
    await mara.locator('#plan-standing', { hasText: 'throttled' }).waitFor({ timeout: 20_000 });
    expect(await vera.locator('button[data-verb]').count()).toBe(0);
    expect(await asPerson(vera, `plans/${id}/cancel`, { reason: 'x' })).toMatchObject({ http: 403, field: 'role' });
    await shoot(mara, 'executing');

    await eventually('a move is done', async () => (await toldByPage(mara)).done > 0);
    await up.does(['throttle', '--node', SLOWEST]);
    process.kill(up.pidOf(active), 'SIGKILL');
    await mara.waitForSelector('body[data-link=reconnecting]');
    const seen = await toldByPage(mara);
    expect(seen).toMatchObject({ state: 'executing', digest });
    await shoot(mara, 'reconnecting');
    await mara.waitForSelector('body[data-link=live]', { timeout: 30_000 });
    await eventually('another is active', async () => (await replicas()).active === other);
    expect((await toldByPage(mara)).done).toBeGreaterThanOrEqual(seen.done);

    const clickedMs = Date.now();
    await act(mara, 'pause');
    await stateIs(mara, 'paused');
    await mara.focus('#nodeBytesPerSecond');
    await mara.keyboard.press('End');
    await mara.locator('#throttle-message', { hasText: 'no limit' }).waitFor();
    expect(await up.does(['throttle'])).toMatchObject({ nodeBytesPerSecond: 0 });
    const atRest = (moves: Wire.PlanMove__Output[]) => moves.every((m) => ['pending', 'done'].includes(m.phase));
    await eventually('what was in flight is safe', async () => atRest((await planOf(id)).moves));
    await expectOneTruth(id, mara, anna);
    const paused = await toldByEtcd(store, id);
    expect(paused.done).toBeLessThan(proposed.movesTotal);
    await mara.locator('#plan-standing', { hasText: 'by local:mara; no move begins until it is resumed' }).waitFor();
    await shoot(mara, 'paused');
    await act(mara, 'resume');
    await stateIs(mara, 'completed', 90_000);
    expect(await mara.evaluate('window.neverReloaded')).toBe(true);

    await expectOneTruth(id, mara, anna);
    const log = await auditOf(up);
    const at = (verb: string) => log.find((e) => e.verb === verb && e.subject === `plan/${id}`)!.number;
    const begun = log.filter((e) => e.verb === 'add-learner' && e.reason.startsWith(`plan ${id} `));
    expect(begun.filter((e) => e.number > at('pause') && e.number < at('resume'))).toEqual([]);
    const pausedMs = log.find((e) => e.verb === 'pause')!.atMs;
    process.stdout.write(`from the click on Pause to its record: ${pausedMs - clickedMs} ms\n`);
    expect(begun.filter((e) => e.number > at('resume')).length).toBeGreaterThan(0);
    expect(begun.length).toBe(proposed.moves.filter((m) => m.kind === 'replica').length);
    expect(log.find((e) => e.verb === 'approve')).toMatchObject({ actor: 'local:anna', reason: 'read every move' });

    const report = await up.does<Wire.Report__Output>(['report', 'show', id]);
    await mara.locator('#plan-report', { hasText: report.sha256 }).waitFor();
    expect(await mara.textContent('#plan-report')).toContain(report.outcome);
    expect(report.actualBytes).toBe(report.plan!.moves.reduce((sum, move) => sum + Number(move.bytesDone), 0));
    expect(report.actualBytes).toBeGreaterThan((RECORDS * RECORD_BYTES) / 4);
    await shoot(mara, 'completed');
    await act(mara, 'undo', 'n6 is on loan');
    await mara.locator('#plan-standing', { hasText: `The way back of plan ${id}` }).waitFor();
    const back = await planOf(await idOf(mara));
    expect(back).toMatchObject({ state: 'proposed', undoOf: id, proposer: 'local:mara' });
    expect(
      back.moves
        .filter((m) => m.kind === 'replica')
        .map((m) => `${m.partition} ${m.from}>${m.to}`)
        .sort(),
    ).toEqual(
      proposed.moves
        .filter((m) => m.kind === 'replica')
        .map((m) => `${m.partition} ${m.to}>${m.from}`)
        .sort(),
    );
    await shoot(mara, 'way-back');
    await see(anna, back.id);
    await act(anna, 'reject', 'it stays');
    await stateIs(anna, 'rejected');
    await expectOneTruth(back.id, anna);
    for (const name of ['topology', 'keyspaces', 'lookup', 'plans', 'overview']) {
      await goTo(mara, name);
      await mara.locator('main .panel').first().waitFor();
      await shoot(mara, name);
    }
    expect([...complaints.values()].flat().filter((text) => !isOfTheKill(text))).toEqual([]);
  }, 240_000);

  it('cannot approve what no longer fits, and break the glass aloud', async () => {
    // Plan: while a drain waits for approval a node dies: the approval is refused with what changed, one click proposes anew; two would have
    // to agree, ada goes past the rules alone, everybody sees it, she ends the run; the log tells all of it and holds.
    const { active, other } = await replicas();
    const [mara, anna, ada] = await Promise.all([enter('mara', active), enter('anna', other), enter('ada', other)]);
    await up.does(['throttle', '--node', SLOWEST]);
    await up.does(['node', 'drain', 'n5', '--reason', 'its disk is old']);
    const id = await propose(mara, 'n5 goes');
    await up.does(['agent', 'kill', 'n1']);
    await eventually('the map counts on n1 no more', async () => {
      const { records } = await up.does<Wire.Keyspace__Output>(['keyspace', 'show', KEYSPACE, '--partitions']);
      return records.every(({ replicas: copies }) => copies.every((copy) => copy.node !== 'n1' || !copy.inSync));
    });
    await see(anna, id);
    await act(anna, 'approve', 'looks good');
    await anna.locator('#stale li', { hasText: 'epoch' }).first().waitFor();
    expect(await anna.textContent('#act-message')).toContain('Nothing was approved');
    await stateIs(anna, 'superseded');
    expect(await rowsShown(anna)).not.toEqual([]);
    await shoot(anna, 'stale');
    await anna.click('button[data-verb=propose-again]');
    await stateIs(anna, 'proposed');
    const again = await idOf(anna);
    expect(again).not.toBe(id);
    expect(await planOf(again)).toMatchObject({ state: 'proposed', reason: 'n5 goes', proposer: 'local:anna' });

    await policy({ approvals: 2 });
    await see(ada, again);
    await ada.locator('#approvals', { hasText: '0 of 2 approvals' }).waitFor();
    await act(ada, 'break-glass');
    await ada.locator('#act-message', { hasText: 'Give a reason' }).waitFor();
    await act(ada, 'break-glass', 'the disk of n5 is failing now');
    await stateIs(ada, 'executing');
    for (const page of [ada, anna])
      await page
        .locator('#plan-standing .banner[data-tone=bad]', { hasText: 'Approved past the rules by local:ada' })
        .waitFor();
    await shoot(ada, 'past-the-rules');
    await act(ada, 'cancel', 'the disk holds');
    await stateIs(ada, 'cancelled');
    await eventually('every partition is whole', async () => {
      const { moving, withoutLeader } = await up.does<Wire.Keyspace__Output>(['keyspace', 'show', KEYSPACE]);
      return moving === 0 && withoutLeader === 0;
    });
    await expectOneTruth(again, ada, anna);

    await goTo(ada, 'events');
    const line = ada.locator('#audit tbody tr', { hasText: 'break-glass' });
    await line.waitFor();
    expect(await line.textContent()).toContain('APPROVED PAST THE RULES');
    expect(await line.getAttribute('data-tone')).toBe('bad');
    for (const verb of ['drain', 'propose', 'supersede', 'cancel'])
      expect(await ada.locator('#audit tbody tr', { hasText: verb }).count()).toBeGreaterThan(0);
    await ada.click('#audit-verify');
    await ada.locator('#audit-message', { hasText: 'is whole' }).waitFor();
    await shoot(ada, 'events');
    const verified = await up.cli(['audit', 'verify', '--checkpoints', join(up.folder, 'audit-checkpoints.jsonl')]);
    expect(verified).toMatchObject({ code: 0, json: { intact: true, first: 1 } });
    expect((await auditOf(up)).filter((e) => e.verb === 'break-glass')).toMatchObject([
      { actor: 'local:ada', subject: `plan/${again}`, reason: 'the disk of n5 is failing now' },
    ]);
  }, 180_000);
});

/** A browser says in its own words that nobody answered, and that the API refused what this test asked past the buttons. */
const isOfTheKill = (text: string): boolean => /ERR_|Failed to load resource/.test(text);
