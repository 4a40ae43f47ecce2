import { mkdtemp, writeFile } from 'node:fs/promises';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeScheme } from '@cadastre/contracts';
import { run } from './program.js';
import { FakeIo } from './testing/fake-io.js';
import { FakeOperator } from './testing/fake-operator.js';

describe('cadastre', () => {
  let fake: FakeOperator;
  let folder: string;

  const cadastre = async (line: string | string[], input = ''): Promise<FakeIo & { code: number }> => {
    const io = new FakeIo(folder, input, { CADASTRE_SERVER: fake.address });
    const code = await run(typeof line === 'string' ? line.split(' ') : line, io);
    return Object.assign(io, { code });
  };

  beforeEach(async () => {
    fake = await new FakeOperator().listen();
    folder = await mkdtemp(join(tmpdir(), 'cadastre-cli-'));
  });
  afterEach(() => fake.cut());

  const PLAN = {
    id: 'p-1',
    state: 'proposed',
    digest: 'abcd',
    allowedActions: ['approve', 'reject'],
    cost: { replicaMoves: 2, lowerBoundMoves: 2 },
    moves: [
      { index: 0, keyspace: 'orders', partition: 3, kind: 'replica', from: 'n1', to: 'n4', reason: 'n4 has none' },
    ],
  };

  // Plan: throttle shows what holds, sets what is given, and names an amount that is none.
  it('throttles', async () => {
    expect((await cadastre('throttle')).out).toContain('no limit');
    expect((await cadastre('throttle --node 50MB/s --reason busy')).out).toMatch(/a node +.*\/s/);
    expect(fake.requests('changeSettings')[0]).toMatchObject({
      nodeBytesPerSecond: 50_000_000,
      actor: 'tester',
      reason: 'busy',
    });
    expect((await cadastre('throttle --node fast')).err).toContain('INVALID_ARGUMENT: node: "fast" is no amount');
    expect((await cadastre('unfreeze')).err).toContain('--reason');
    expect((await cadastre('unfreeze --reason fire')).out).toContain('without n1, n2, n3');
    await cadastre('settings --repair auto --repair-grace 30s');
    expect(fake.requests('changeSettings')[1]).toMatchObject({ repair: 'auto', repairGraceMs: 30_000 });
  });

  // Plan: what is asked of the server, what is said, and the exit code that a script goes by, one command each.
  it.each([
    [
      'freeze --reason fire',
      'freeze',
      { reason: 'fire', actor: 'tester' },
      'cadastre unfreeze --by person --reason',
      0,
    ],
    ['unfreeze --by person --reason over', 'unfreeze', { by: 'person' }, 'goes on', 0],
    ['approval-policy', 'getApprovalPolicy', {}, '"approvals": 2', 0],
    ['plan undo p-1 --reason back', 'undo', { id: 'p-1', reason: 'back' }, 'undoes', 2],
    ['plan cancel-all --reason fire', 'cancelAll', { reason: 'fire' }, 'p-1', 0],
    [
      'plan approve p-1 --digest abcd --break-glass --for 5m --reason fire',
      'act',
      { breakGlass: true, breakGlassMs: 300_000 },
      'approved',
      0,
    ],
    ['report show p-1', 'report', { plan: 'p-1' }, 'sha256 feed', 0],
    ['report show p-1', 'report', {}, 'while it ran              5,000  0.42 ms   12 ms', 0],
    ['report show p-1', 'report', {}, 'the minute after   not measured        -       -', 0],
    ['audit list --limit 5 --subject plan/', 'listAudit', { limit: 5, subject: 'plan/' }, 'audit list --before 7', 0],
    [
      'keyspace heat orders --by p99 --minutes 60 --limit 3',
      'getHeat',
      { keyspace: 'orders', metric: 'p99', windowMs: 3_600_000, hottest: 3 },
      '7  n2        1,240       3.5  2.0 KiB  12.4 ms',
      0,
    ],
    ['audit verify', 'verifyAudit', { checkpoints: [] }, 'intact', 0],
  ])('%s', async (line, verb, request, said, code) => {
    fake.plan = PLAN;
    const done = await cadastre(line);
    expect([done.code, done.err]).toEqual([code, '']);
    expect(fake.requests(verb)[0]).toMatchObject(request);
    expect(done.out).toContain(said);
  });

  it('says what it cannot ask for, and that nothing was measured', async () => {
    // Plan: a metric and an age that there are not; then a keyspace that nobody measured.
    expect((await cadastre('keyspace heat orders --by colour')).err).toContain('use one of reads, writes, bytes, p99');
    expect((await cadastre('keyspace heat orders --minutes 361')).err).toContain('--minutes');
    fake.heat = { keyspace: 'orders', fromMs: 60_000, stepMs: 10_000, steps: 1, sinceMs: 50_000 };
    expect((await cadastre('keyspace heat orders')).out).toContain('nothing was measured in orders in the last 10 min');
  });

  it('drains, waits and verifies with exit codes', async () => {
    // Plan: a node that becomes empty, one that cannot, a check alone; plans that complete, fail and stall; a log that was cut.
    const left = { node: 'n1', state: 'draining', because: 'plan p-1 is executing' };
    fake.drains = [{ node: 'n1' }, left, { node: 'n1', state: 'drained', safeToDelete: true, because: 'empty' }];
    const drained = await cadastre('node drain n1 --wait --reason disk');
    expect([drained.code, drained.out]).toEqual([0, expect.stringContaining('safe to delete  yes')]);
    expect(fake.requests('drain')).toMatchObject([{ id: 'n1', reason: 'disk' }]);
    fake.drains = [{ node: 'n1', blockers: ['keyspace orders: 2 copies have nowhere to go'] }];
    const blocked = await cadastre('node drain n1 --wait');
    expect([blocked.code, blocked.out]).toEqual([1, expect.stringContaining('nowhere to go')]);
    expect(fake.requests('drain')).toHaveLength(1);
    fake.drains = [{ node: 'n1', state: 'not-draining' }];
    expect((await cadastre('node drain n1 --check')).code).toBe(0);
    const ends = async (state: string, condition: string, what = 'done') => {
      fake.watched = [{ ...PLAN, state, progress: { condition, because: 'n4 is gone' } }];
      return (await cadastre(`plan wait p-1 --for=${what} --timeout 5s`)).code;
    };
    expect([await ends('completed', 'ended'), await ends('failed', 'ended')]).toEqual([0, 1]);
    expect([await ends('executing', 'stalled', 'stalled'), await ends('completed', 'ended', 'stalled')]).toEqual([
      0, 1,
    ]);
    const file = join(folder, 'sink');
    writeFileSync(
      file,
      `{"event":"audit-checkpoint","number":9,"hash":"${'a'.repeat(64)}","atMs":1,"clusterId":"c"}\n`,
    );
    const cut = await cadastre(`audit verify --checkpoints ${file}`);
    expect([cut.code, cut.out]).toEqual([1, expect.stringContaining('cut: the log ends before')]);
  });

  it('makes and shows keyspaces', async () => {
    // Plan: create with defaults and flags, list, show with partitions, and a name that is taken; actor is the user of the system.
    expect((await cadastre('keyspace create orders --partitions 8 --rf 1')).out).toContain(
      '8 partitions, 1 copies each',
    );
    expect(fake.requests('create')[0]).toMatchObject({
      actor: 'tester',
      spec: {
        replicationFactor: 1,
        minInSync: 1,
        spread: [
          { label: 'zone', maxPerDomain: 1, hard: true },
          { label: 'rack', maxPerDomain: 1, hard: false },
        ],
      },
    });
    await cadastre('keyspace create names --scheme range --split-points g,p --rf 3 --spread host=1 --actor ann');
    expect(fake.requests('create')[1]).toMatchObject({
      actor: 'ann',
      spec: { minInSync: 2, scheme: { kind: 'range' }, spread: [{ label: 'host', maxPerDomain: 1, hard: true }] },
    });
    expect((await cadastre('keyspace list')).out).toMatch(
      /KEYSPACE .*\norders +hash-slots 8 murmur3 .*\nnames +range 3 /,
    );
    expect((await cadastre('keyspace show orders --partitions')).out).toMatch(/PARTITION +EPOCH +LEADER/);
    expect((await cadastre('keyspace show names --json')).json()).toMatchObject({
      spec: { scheme: { range: { splitPoints: ['g', 'p'] } } },
    });
    const taken = await cadastre('keyspace create orders');
    expect([taken.code, taken.err]).toEqual([1, 'ALREADY_EXISTS: keyspace orders exists (choose another name)\n']);
  });

  it('says its version, and without a command what there is', async () => {
    // Plan: both asked of nobody, exit code 0.
    const version = await cadastre('--version');
    expect([version.code, version.out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
    const bare = await cadastre([]);
    expect([bare.code, bare.out]).toEqual([0, expect.stringContaining('Commands:')]);
  });

  it('names what is wrong with its arguments', async () => {
    // Plan: unknown command, missing argument, unknown flag, bad count, bad scheme, bad spread; exit code 1, one line, nothing asked.
    const cases: [string, RegExp][] = [
      ['plan', /command: is missing/],
      ['nonsense', /unknown command/],
      ['locate orders', /missing required argument 'key'/],
      ['node list --nope', /unknown option '--nope'/],
      ['keyspace create a --partitions many', /--partitions: "many" is not a count/],
      ['keyspace create a --scheme ring', /--scheme: "ring" is no scheme/],
      ['keyspace create a --spread zone', /--spread: "zone" cannot be read/],
      ['keyspace create a --rf 2 --min-in-sync 3', /--min-in-sync/],
      ['keyspace create A', /not a valid name/],
      ['keyspace create a --split-points x', /--split-points: belong to the range scheme/],
      ['status --server nowhere', /--server: "nowhere" is no address/],
      ['kv import orders -', /--format: cannot be told/],
    ];
    fake.keyspaces.set('orders', {
      name: 'orders',
      scheme: encodeScheme({ kind: 'hash-slots', slots: 2, hash: 'murmur3', hashTags: false }) as Wire.Scheme__Output,
      replicationFactor: 1,
      minInSync: 1,
      spread: [],
      policy: null,
      firstEpoch: 0,
    });
    for (const [line, message] of cases) {
      const { code, err, out } = await cadastre(line);
      expect([line, code, out]).toEqual([line, 1, '']);
      expect(err).toMatch(message);
      expect(err.trimEnd().split('\n')).toHaveLength(1);
    }
    expect(fake.asked).toEqual([]);
    expect(JSON.parse((await cadastre('locate orders --json')).err)).toMatchObject({
      error: { code: 'INVALID_ARGUMENT', remedy: expect.any(String) as unknown },
    });
  });

  it('tells by its exit code whether a plan is open', async () => {
    // Plan: nothing to do is 0, a proposal 2, an open plan 2, an ended one 0; --json gives the reply itself.
    const nothing = await cadastre('plan propose');
    expect([nothing.code, nothing.out]).toEqual([0, 'nothing to do: all is balanced\n']);
    fake.plan = PLAN;
    const proposed = await cadastre('plan propose --keyspace orders --reason balance');
    expect(proposed.code).toBe(2);
    expect(proposed.out).toContain('this plan is minimal');
    expect(fake.requests('propose')[1]).toMatchObject({ keyspaces: ['orders'], reason: 'balance', actor: 'tester' });
    expect((await cadastre('plan show latest --moves')).out).toMatch(/orders\/3 +replica +n1 +n4 .*n4 has none/);
    expect((await cadastre('plan show latest')).code).toBe(2);
    expect((await cadastre('plan propose --json')).json()).toMatchObject({ plan: { id: 'p-1' } });
    fake.plan = { ...PLAN, state: 'completed' };
    expect((await cadastre('plan show p-1')).code).toBe(0);
  });

  it('approves the digest that was read', async () => {
    // Plan: nobody can be asked, so --yes is required; then the digest shown is sent; --digest is sent as given; a stale one is refused.
    fake.plan = PLAN;
    const unasked = await cadastre('plan approve latest');
    expect([unasked.code, unasked.err]).toEqual([
      1,
      'INVALID_ARGUMENT: --yes: is needed where nobody can be asked (add --yes, or --digest abcd of the plan that was read)\n',
    ]);
    expect((await cadastre('plan approve latest --yes')).code).toBe(0);
    await cadastre('plan approve p-1 --digest ef01 --reason checked');
    expect(fake.requests('act').map(({ digest, action, id }) => [digest, action, id])).toEqual([
      ['abcd', 'approve', 'p-1'],
      ['ef01', 'approve', 'p-1'],
    ]);
    for (const action of ['reject', 'pause', 'resume', 'cancel'])
      expect((await cadastre(`plan ${action} p-1`)).code).toBe(0);
    expect(fake.requests('act').map((r) => r['action'])).toEqual([
      'approve',
      'approve',
      'reject',
      'pause',
      'resume',
      'cancel',
    ]);
  });

  it('watches a plan to its end', async () => {
    // Plan: lines at each change, JSON lines with --json; exit 0 for completed, 1 for failed.
    const moves = [...PLAN.moves, { ...PLAN.moves[0]!, index: 1 }];
    fake.watched = [
      { ...PLAN, moves, state: 'executing' },
      { ...PLAN, moves, state: 'executing', movesDone: 1 },
      { ...PLAN, moves, state: 'completed', movesDone: 2 },
    ];
    const text = await cadastre('plan watch p-1');
    expect([text.code, text.out]).toEqual([
      0,
      'executing: 0 of 2 moves done\nexecuting: 1 of 2 moves done\ncompleted: 2 of 2 moves done\n',
    ]);
    expect(
      (await cadastre('plan watch p-1 --json')).out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { state: string }).state),
    ).toEqual(['executing', 'executing', 'completed']);
    fake.watched = [{ ...PLAN, state: 'failed' }];
    expect((await cadastre('plan watch p-1')).code).toBe(1);
  });

  it('shows nodes and drains them', async () => {
    // Plan: list, show, an unknown node names those that exist; drain and undo.
    fake.nodes = [
      { entry: { id: 'n1', address: 'h:1', labels: { zone: 'a', rack: 'r1' } }, state: 'up', replicas: 5, bytes: 2048 },
    ];
    expect((await cadastre('node list')).out).toMatch(/n1 +up +h:1 +rack=r1 zone=a +5 +0 +0 +2\.0 KiB/);
    expect((await cadastre('node show n1 --json')).json()).toMatchObject({ state: 'up' });
    expect((await cadastre('node show n7')).err).toContain('use one of n1');
    expect((await cadastre('node drain n1 --reason disk')).out).toContain('draining');
    expect((await cadastre('node drain n1 --undo')).out).toContain('is up');
    expect(fake.requests('drain')).toMatchObject([
      { id: 'n1', undo: false, reason: 'disk' },
      { id: 'n1', undo: true },
    ]);
  });

  it('says who follows the map and who lags', async () => {
    // Plan: two of three watchers have the newest generation; the third is named with where it is and what it has.
    const { out } = await cadastre('status --watchers');
    expect(out).toMatch(/orders +1\.9 +3 +2 +2 ms +40 ms +1\.5 s/);
    expect(out).toMatch(/slow +10\.0\.0\.1:99 +4 +orders 1\.5/);
    expect(JSON.parse((await cadastre('status --watchers --json')).out)).toMatchObject({ watchers: 3 });
  });

  it('finds its control plane by flag, environment, then the cluster file', async () => {
    // Plan: the file of a parent folder is used without the environment; the next address is asked when one is dead; none is an error.
    const io = new FakeIo(join(folder, 'deep'), '', {});
    mkdirSync(join(folder, '.cadastre'));
    writeFileSync(
      join(folder, '.cadastre', 'cluster.json'),
      JSON.stringify({
        version: 1,
        socket: '',
        etcd: { endpoints: [] },
        controlPlanes: [
          { id: 'cp1', grpc: '127.0.0.1:1', http: '' },
          { id: 'cp2', grpc: fake.address, http: '' },
        ],
        agents: [],
      }),
    );
    expect(await run(['status'], io)).toBe(0);
    expect(io.out).toContain('all is well');
    const nowhere = new FakeIo(tmpdir(), '', {});
    expect(await run(['status'], nowhere)).toBe(1);
    expect(nowhere.err).toMatch(/no cluster is known here/);
    const dead = new FakeIo(tmpdir(), '', {});
    expect(await run(['status', '--server', '127.0.0.1:1'], dead)).toBe(1);
    expect(dead.err).toMatch(
      /^UNAVAILABLE: no control plane answers at 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1 \(/,
    );
  });

  it('prints an error of the server as it is', async () => {
    // Plan: code, message and remedy in one line; all fields with --json.
    fake.refuse = new CadastreError('PLAN_STALE', 'orders has changed since', { field: 'id', remedy: 'propose anew' });
    expect((await cadastre('plan reject p-1')).err).toBe('PLAN_STALE: orders has changed since (propose anew)\n');
    fake.refuse = new CadastreError('PLAN_STALE', 'orders has changed since', { field: 'id', remedy: 'propose anew' });
    expect(JSON.parse((await cadastre('plan reject p-1 --json')).err)).toEqual({
      error: { code: 'PLAN_STALE', message: 'orders has changed since', field: 'id', remedy: 'propose anew' },
    });
  });

  it('reads and writes records', async () => {
    // Plan: put, get, scan, delete, and a get of nothing with exit code 1.
    await cadastre('keyspace create orders --partitions 4 --rf 1');
    expect((await cadastre(['kv', 'put', 'orders', 'a', 'one value'])).code).toBe(0);
    expect((await cadastre('kv get orders a')).out).toBe('one value\n');
    expect((await cadastre('kv get orders a --json')).json()).toEqual({ key: 'a', value: 'one value' });
    expect((await cadastre('kv scan orders --limit 1')).out).toBe('a\tone value\n');
    expect((await cadastre('kv delete orders a')).out).toBe('deleted\n');
    const missing = await cadastre('kv get orders a');
    expect([missing.code, missing.err]).toEqual([
      1,
      'NOT_FOUND: key: "a" has no value in orders (look for it: cadastre kv scan)\n',
    ]);
    expect((await cadastre('kv get nothing a')).err).toContain('make it first: cadastre keyspace create nothing');
    expect((await cadastre('locate orders a')).out).toMatch(/n1 +leader +available +yes/);
  });

  it('imports a file and verifies it', async () => {
    // Plan: stdin with a duplicate key (the last one stays) and two records that fail: exit 1, counts; verify finds what differs.
    await cadastre('keyspace create orders --partitions 4 --rf 1');
    const stanzas = 'Package: a\nVersion: 1\nX: old\n\nPackage: a\nVersion: 1\nX: new\n\nPackage: b\nVersion: 2\n';
    const whole = await cadastre('kv import orders --format dumpavail - --json', stanzas);
    expect([whole.code, whole.json()]).toMatchObject([0, { records: 3, failed: 0 }]);
    expect(JSON.parse(fake.data.get('a/1')!.toString())).toMatchObject({ X: 'new' });
    const file = join(folder, 'pkgs.txt');
    await writeFile(file, stanzas);
    expect((await cadastre(`kv verify orders ${file} --format dumpavail --json`)).json()).toMatchObject({
      equal: 2,
      different: 0,
      missing: 0,
      failed: 0,
    });
    fake.data.delete('b/2');
    fake.data.set('a/1', Buffer.from('else'));
    const differs = await cadastre(`kv verify orders ${file} --format dumpavail`);
    expect([differs.code, differs.out]).toEqual([1, '0 records equal, 1 different, 1 missing, 0 failed\n']);
    const partly = await cadastre('kv import orders --format jsonl -', '{"key":"refused"}\n{"key":"ok"}\nnope\n');
    expect(partly.code).toBe(1);
    expect(partly.out).toMatch(/imported 1 record in .*, 2 failures/);
    expect(partly.err).toContain('key refused: FAILED_PRECONDITION: refused by the test');
    const hopeless = await cadastre(
      'kv import orders --format jsonl - --concurrency 8 --json',
      '{"key":"refused"}\n'.repeat(1_000),
    );
    expect(hopeless.err).toMatch(/given up: 1\d\d requests in a row have failed/);
    expect(hopeless.json<{ failed: number }>().failed).toBeLessThan(120);
    const limited = await cadastre('kv import orders --format jsonl - --limit 1 --json', '{"key":"x"}\n{"key":"y"}\n');
    expect(limited.json()).toMatchObject({ records: 1 });
    expect((await cadastre('kv import orders /nowhere.csv')).err).toMatch(/^INVALID_ARGUMENT: file: ENOENT/);
  });
});
