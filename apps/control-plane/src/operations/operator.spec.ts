import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ApprovalPolicy } from '@cadastre/core';
import { DEFAULT_APPROVAL_POLICY } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { compare, keys, MemoryDatabase, movePart, op, planHeadPart, requirePlan, sessionPart } from '@cadastre/store';
import { AfterRun } from '../controller/after-run.driver.js';
import { Executor } from '../controller/executor.js';
import { Observed } from '../controller/observed.js';
import { PolicyApproval } from '../controller/policy-approval.driver.js';
import { ClusterLoad } from '../load/cluster-load.js';
import { RunLatencies } from '../load/run-latencies.js';
import type { RegisterKit } from '../testing/register-kit.js';
import { fillRegister, NODES, openRegister } from '../testing/register-kit.js';
import { Operations } from './operations.js';
import type { MayStill } from './ports.js';

const ANN = { actor: 'ann', reason: 'n1 goes' };
const BOB = { actor: 'bob', reason: 'read it' };
const EVE = { actor: 'eve', reason: 'me too' };

/** Another replica of the same control plane. */
const replicaOn = async (database: MemoryDatabase, clock = systemClock, mayStill: MayStill = () => true) => {
  const kit = await openRegister(database, {}, clock);
  const { store, register } = kit;
  const observed = new Observed();
  const load = new ClusterLoad({ clock });
  const options = {
    store,
    register,
    observed,
    load,
    clock,
    replica: 'cp',
    etcdVersion: () => '',
    watchers: () => 0,
    mayStill,
  };
  return { kit, operations: new Operations(options), observed };
};

describe('operators', () => {
  let database: MemoryDatabase;
  let kit: RegisterKit;
  let operations: Operations;
  let observed: Observed;
  const kits: RegisterKit[] = [];
  let lateMs: number;
  /** Who may not approve any more. */
  let gone: Set<string>;
  const lateClock = Object.create(systemClock, {
    wallMs: { value: () => systemClock.wallMs() + lateMs },
  }) as typeof systemClock;

  beforeEach(async () => {
    lateMs = 0;
    gone = new Set();
    database = new MemoryDatabase(systemClock);
    ({ kit, operations, observed } = await replicaOn(database, lateClock, (actor) => !gone.has(actor)));
    kits.push(kit);
    await fillRegister(kit, 'orders', 8);
    for (const node of NODES) {
      const lease = await kit.store.grantLease(60_000);
      const session = { node, incarnation: `${node}-a`, address: '127.0.0.1:1' };
      await kit.register.commit(() => ({ ...sessionPart(session, lease.id), result: 0 }));
    }
  });
  afterEach(() => {
    for (const each of kits.splice(0)) each.stop();
  });

  const setPolicy = (over: Partial<ApprovalPolicy>) =>
    operations.setApprovalPolicy({ ...DEFAULT_APPROVAL_POLICY, ...over }, { actor: 'root' });
  const fence = { target: 'createRevision', op: '=', key: keys.cluster, value: 0n } as never;
  const fenceOf = (k: RegisterKit) => ({ ...(fence as object), value: k.register.state.cluster!.revision }) as never;
  const turn = (plan: Wire.Plan, action: string) => operations.actOnPlan({ id: plan.id!, action, ...EVE });
  const setPolicyAs = (actor: string) => operations.setApprovalPolicy(DEFAULT_APPROVAL_POLICY, { actor });
  const propose = async (): Promise<Wire.Plan> => {
    await operations.drainNode('n1', false, ANN);
    return (await operations.proposePlan([], ANN)).plan!;
  };
  const approve = (plan: Wire.Plan, act: { actor: string; reason?: string }, over: object = {}) =>
    operations.actOnPlan({ id: plan.id!, action: 'approve', digest: plan.digest!, ...act, ...over });
  const refusal = (code: string, field?: string) => expect.objectContaining({ code, ...(field && { field }) });
  const finishMoves = async (id: string): Promise<void> => {
    const { moves } = operations.getPlan(id);
    for (const { index = 0 } of moves ?? []) {
      const move = {
        plan: id,
        index,
        phase: 'done',
        note: '',
        sinceMs: 2,
        cutoverGeneration: undefined,
        timesStarted: 1,
        bytesMoved: 10,
      };
      await kit.register.commit((state) => ({ ...movePart(state, move), result: 0 }));
    }
  };
  /** All moves are done, as if they had run. */
  const finish = async (id: string): Promise<void> => {
    await finishMoves(id);
    await kit.register.commit((state) => {
      const { head } = requirePlan(state, id);
      return { ...planHeadPart(state, { ...head, state: 'completed', startedMs: 1_000, endedMs: 3_000 }), result: 0 };
    });
  };

  describe('approval', () => {
    // Plan: the proposer is refused, one approval of two leaves it waiting, the same person does not count twice, the second approves.
    it('takes as many different people as the policy asks for', async () => {
      await setPolicy({
        fourEyes: true,
        rules: [{ name: 'big', approvals: 2, movesOver: 1, crossesZone: false, lowersRedundancy: false }],
      });
      const plan = await propose();
      expect(plan).toMatchObject({
        approvalsNeeded: 2,
        approvalsBecause: [expect.stringContaining('big: ')],
        risk: { crossesZone: true },
      });
      await expect(approve(plan, ANN)).rejects.toEqual(refusal('PERMISSION_DENIED', 'actor'));
      expect(await approve(plan, BOB)).toMatchObject({
        state: 'proposed',
        approvals: [{ actor: 'bob', reason: 'read it' }],
      });
      await expect(approve(plan, BOB)).rejects.toEqual(refusal('PERMISSION_DENIED', 'actor'));
      expect(await approve(plan, EVE)).toMatchObject({
        state: 'approved',
        approvals: [{ actor: 'bob' }, { actor: 'eve' }],
      });
    });

    // Plan: two subjects of one issuer that differ only far behind: one proposes, the other approves, and both are kept whole.
    it('knows people by their whole subject', async () => {
      await setPolicy({ fourEyes: true });
      const subject = (sub: string) => `oidc:https://login.example/${'tenant-'.repeat(20)}/v2.0#${sub}`;
      const [one, two] = [{ actor: subject('one') }, { actor: subject('two') }];
      await operations.drainNode('n1', false, one);
      const plan = (await operations.proposePlan([], one)).plan!;
      await expect(approve(plan, one)).rejects.toEqual(refusal('PERMISSION_DENIED', 'actor'));
      expect(await approve(plan, two)).toMatchObject({
        proposer: one.actor,
        approvals: [two],
        state: 'approved',
      });
      await operations.freeze({ ...two, reason: 'wait' });
      expect(operations.status().freezes).toMatchObject([two]);
      const entries = (await operations.listAudit({ before: 0, limit: 100, subject: '', actor: two.actor })).entries;
      expect(entries?.map((e) => e.verb)).toEqual(['freeze', 'approve']);
      await expect(setPolicyAs('x'.repeat(1_025))).rejects.toEqual(refusal('INVALID_ARGUMENT', 'actor'));
      await expect(operations.freeze({ actor: 'x'.repeat(1_025), reason: 'y' })).rejects.toEqual(
        refusal('INVALID_ARGUMENT', 'actor'),
      );
    });

    // Plan: ann drains, automation proposes; ann may not approve her own wish under four eyes, bob may.
    it('counts whoever asked for the drain as the proposer of what automation makes of it', async () => {
      await setPolicy({ fourEyes: true });
      await operations.drainNode('n1', false, ANN);
      const plan = (await operations.proposePlan([], { actor: 'cadastre', automatic: true })).plan!;
      expect(plan).toMatchObject({ proposer: 'cadastre', askedBy: ['ann'] });
      await expect(approve(plan, ANN)).rejects.toEqual(refusal('PERMISSION_DENIED', 'actor'));
      expect(await approve(plan, BOB)).toMatchObject({ state: 'approved' });
    });

    // Plan: the bootstrap token under four eyes: refused, but for breaking the glass.
    it('takes the bootstrap token for nobody in particular', async () => {
      await setPolicy({ fourEyes: true });
      const plan = await propose();
      const boot = { actor: 'bootstrap', reason: 'nobody is here' };
      await expect(approve(plan, boot)).rejects.toEqual(refusal('PERMISSION_DENIED', 'actor'));
      expect(await approve(plan, boot, { breakGlassMs: 60_000 })).toMatchObject({ state: 'approved' });
    });

    // Plan: wrong in one respect each; the plan stays as it was.
    it.each([
      ['without a digest', BOB, { digest: undefined }, 'INVALID_ARGUMENT', 'digest'],
      ['of another digest', BOB, { digest: '0'.repeat(64) }, 'PLAN_CHANGED', 'digest'],
      ['without the reason', { actor: 'bob' }, {}, 'INVALID_ARGUMENT', 'reason'],
      ['by nobody', { actor: ' ' }, {}, 'INVALID_ARGUMENT', 'actor'],
      ['past the rules without a reason', { actor: 'bob' }, { breakGlassMs: 60_000 }, 'INVALID_ARGUMENT', 'reason'],
      ['past the rules for a day', BOB, { breakGlassMs: 86_400_000 }, 'INVALID_ARGUMENT', 'breakGlassMs'],
    ])('is refused %s', async (_story, act, over, code, field) => {
      await setPolicy({ reasonRequired: true });
      const plan = await propose();
      await expect(approve(plan, act, over)).rejects.toEqual(refusal(code, field));
      expect(operations.getPlan(plan.id!)).toMatchObject({ state: 'proposed', approvals: [] });
    });

    // Plan: a day after it was proposed, and after each way to end, an approval is refused and the plan stays as it ended.
    it.each<[string, (plan: Wire.Plan) => unknown, string, string]>([
      ['it expired', () => (lateMs = 25 * 3_600_000), 'FAILED_PRECONDITION', 'proposed'],
      ['it was rejected', (plan) => turn(plan, 'reject'), 'ILLEGAL_TRANSITION', 'rejected'],
      ['it was approved', (plan) => approve(plan, EVE), 'ILLEGAL_TRANSITION', 'approved'],
      [
        'it was cancelled',
        async (plan) => (await approve(plan, EVE), turn(plan, 'cancel')),
        'ILLEGAL_TRANSITION',
        'cancelled',
      ],
      ['it has run', (plan) => finish(plan.id!), 'ILLEGAL_TRANSITION', 'completed'],
    ])('comes too late when %s', async (_story, end, code, state) => {
      const plan = await propose();
      await end(plan);
      await expect(approve(plan, BOB)).rejects.toEqual(refusal(code));
      expect(operations.getPlan(plan.id!).state).toBe(state);
    });

    // Plan: one approves and another rejects at the same moment on two replicas: one of the two happens, the other is told.
    it('races with a rejection, and one of them holds', async () => {
      const other = await replicaOn(database);
      kits.push(other.kit);
      const plan = await propose();
      await other.kit.mirror.reached(kit.register.state.revision);
      const outcomes = await Promise.allSettled([
        approve(plan, BOB),
        other.operations.actOnPlan({ id: plan.id!, action: 'reject', ...EVE }),
      ]);
      const [winner] = outcomes.flatMap((o) => (o.status === 'fulfilled' ? [o.value.state] : []));
      const [loser] = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason] : []));
      expect(loser).toEqual(refusal('ILLEGAL_TRANSITION'));
      await kit.mirror.reached(other.kit.register.state.revision);
      expect(operations.getPlan(plan.id!).state).toBe(winner);
    });

    // Plan: of two approvals the first one's giver leaves before the second: it counts no more, and a third is asked for; then one more
    // leaves after the plan is approved and before it begins: it never begins.
    it('count as long as their givers may approve', async () => {
      await setPolicy({ approvals: 2 });
      const plan = await propose();
      await approve(plan, BOB);
      gone.add('bob');
      expect(await approve(plan, EVE)).toMatchObject({
        state: 'proposed',
        approvals: [{ actor: 'eve' }],
        events: expect.arrayContaining([
          expect.objectContaining({ what: 'approvals that count no more: bob may not approve any longer' }),
        ]),
      });
      expect(await approve(plan, { actor: 'cy' })).toMatchObject({ state: 'approved' });
      gone.add('eve');
      const { register } = kit;
      const mayStill: MayStill = (actor) => !gone.has(actor);
      const runs = new RunLatencies();
      const around = {
        register,
        observed,
        runs,
        clock: lateClock,
        logger: silentLogger,
        targetGraceMs: 1_000,
        mayStill,
      };
      await new Executor(around).round(fenceOf(kit), false);
      expect(operations.getPlan(plan.id!)).toMatchObject({
        state: 'superseded',
        note: 'eve approved it, and may not approve any longer',
      });
    });

    // Plan: past two missing approvals and the proposer's own; it stands out on the plan and in the log.
    it('may be forced, loudly, for one plan and a while', async () => {
      await setPolicy({ fourEyes: true, approvals: 3 });
      const plan = await propose();
      const forced = await approve(plan, ANN, { breakGlassMs: 60_000 });
      expect(forced).toMatchObject({ state: 'approved', breakGlass: { actor: 'ann', reason: 'n1 goes' } });
      expect(forced.breakGlass!.expiresMs).toBe(forced.expiresMs);
      const [entry] = (await operations.listAudit({ before: 0, limit: 1, subject: 'plan/', actor: '' })).entries!;
      expect(entry).toMatchObject({ verb: 'break-glass', after: 'APPROVED PAST THE RULES', actor: 'ann' });
    });

    // Plan: a target is lost after the proposal; the refusal names it and carries the one request that gives a new plan; the plan stays
    // readable and is never approved.
    it('of what has changed is refused with what changed', async () => {
      const plan = await propose();
      const target = plan.moves!.find((m) => m.to !== '')!.to!;
      await kit.store.txn({ compare: [], success: [op.delete(keys.session(target))] });
      await kit.mirror.reached((await kit.store.range(keys.cluster)).revision);
      expect(operations.getPlan(plan.id!).staleBecause).toEqual([expect.stringContaining(target)]);
      await expect(approve(plan, BOB)).rejects.toMatchObject({
        code: 'PLAN_STALE',
        message: expect.stringContaining(target),
        info: {
          changes: [expect.stringContaining(target)],
          proposeAgain: { keyspaces: ['orders'], reason: 'n1 goes' },
        },
      });
      expect(operations.getPlan(plan.id!)).toMatchObject({ state: 'superseded', moves: expect.anything() });
      await expect(approve(plan, BOB)).rejects.toEqual(refusal('ILLEGAL_TRANSITION'));
    });

    // Plan: two replicas approve, pause and cancel the same plan at the same moment: one act each is in the register, and both replicas,
    // and one that starts afterwards, show the same.
    it('leaves one truth, whoever dies or races', async () => {
      const other = await replicaOn(database);
      kits.push(other.kit);
      const plan = await propose();
      await other.kit.mirror.reached(kit.register.state.revision);
      const race = async (action: string) => {
        const acts = [operations, other.operations].map((on, i) =>
          on.actOnPlan({ id: plan.id!, action, digest: plan.digest!, actor: `p${i}`, reason: 'now' }),
        );
        const outcomes = await Promise.allSettled(acts);
        expect(outcomes.map((o) => o.status).sort()).toEqual(['fulfilled', 'rejected']);
        const late = await replicaOn(database);
        kits.push(late.kit);
        await Promise.all([kit, other.kit].map((k) => k.mirror.reached(late.kit.register.state.revision)));
        const seen = [operations, other.operations, late.operations].map((o) => o.getPlan(plan.id!));
        expect(new Set(seen.map((p) => JSON.stringify([p.state, p.events, p.approvals]))).size).toBe(1);
        const { entries } = await operations.listAudit({
          before: 0,
          limit: 100,
          subject: `plan/${plan.id}`,
          actor: '',
        });
        expect(entries!.filter((e) => e.verb === action)).toHaveLength(1);
        return seen[0]!.state;
      };
      expect(await race('approve')).toBe('approved');
      await kit.register.commit((s) => ({
        ...planHeadPart(s, { ...requirePlan(s, plan.id!).head, state: 'executing' }),
        result: 0,
      }));
      expect(await race('pause')).toBe('paused');
      expect(await race('cancel')).toBe('cancelling');
    });
  });

  describe('policy, windows and freezes', () => {
    const everything = {
      name: 'drains',
      kinds: ['replica', 'leader'],
      movesMax: 100,
      bytesMax: 0,
      crossesZone: true,
      keyspaces: [],
    } as const;
    const round = async (): Promise<void> => {
      const { register } = kit;
      await new PolicyApproval({ register, clock: systemClock, logger: silentLogger }).round(fenceOf(kit));
    };

    // Plan: off by default; a rule that does not cover leaves it waiting, one that does approves and is named.
    it('approves by itself only what a person allowed beforehand', async () => {
      const plan = await propose();
      await round();
      await setPolicy({ automatic: [{ ...everything, movesMax: 1 }] });
      await round();
      expect(operations.getPlan(plan.id!).state).toBe('proposed');
      await setPolicy({ automatic: [everything] });
      await round();
      expect(operations.getPlan(plan.id!)).toMatchObject({
        state: 'approved',
        approvedByPolicy: 'drains',
        events: [{}, { actor: 'cadastre', what: 'approved by policy drains' }],
      });
    });

    // Plan: an approved plan outside its window is not begun, says when it will be, and begins once the window is gone.
    it('waits for the window', async () => {
      const hour = (h: number): string => `${String((new Date().getUTCHours() + h) % 24).padStart(2, '0')}:00`;
      await setPolicy({ windows: [{ name: 'night', zone: 'UTC', days: [], from: hour(3), to: hour(4) }] });
      const plan = await propose();
      const approved = await approve(plan, BOB);
      expect(approved).toMatchObject({
        window: { name: 'night', open: false },
        progress: { condition: 'waiting', because: expect.stringContaining('opens at') },
      });
      const executor = new Executor({
        register: kit.register,
        observed,
        runs: new RunLatencies(),
        clock: systemClock,
        logger: silentLogger,
        targetGraceMs: 1_000,
      });
      await executor.round(fenceOf(kit), false);
      expect(operations.getPlan(plan.id!).state).toBe('approved');
      await setPolicy({});
      await executor.round(fenceOf(kit), false);
      expect(operations.getPlan(plan.id!)).toMatchObject({ state: 'executing', startedMs: expect.any(Number) });
    });

    // Plan: a run is measured, ends, and the minute after it passes: what was felt before and while it ran is in the final report, what was
    // felt after is written once, beside it: its hash stays, also at another replica, which measured nothing.
    it('keep what clients felt of a run', async () => {
      const clock = lateClock;
      const { register } = kit;
      const runs = new RunLatencies();
      const executor = new Executor({ register, observed, runs, clock, logger: silentLogger, targetGraceMs: 1_000 });
      const afterRun = new AfterRun({ register, runs, clock });
      const plan = await propose();
      const hear = (answers: number) => {
        runs.sync(register.state, clock.wallMs(), (_keyspace, _partitions, into) => (into[10] = 50));
        const { keyspace = '', partition = 0 } = plan.moves![0]!;
        runs.onLatency(keyspace, partition, { first: 12, counts: [answers] }, clock.wallMs());
      };
      await approve(plan, BOB);
      await executor.round(fenceOf(kit), true);
      hear(1);
      expect(runs.latencyOf(plan.id!)).toBeUndefined();
      await executor.round(fenceOf(kit), false);
      hear(30);
      await finishMoves(plan.id!);
      await executor.round(fenceOf(kit), false);
      const report = operations.report(plan.id!);
      expect(report).toMatchObject({
        final: true,
        plan: { state: 'completed', latency: { before: { answers: 50 }, during: { answers: 30 }, after: null } },
      });
      hear(20);
      await afterRun.round(fenceOf(kit));
      expect(operations.report(plan.id!)).toEqual(report);
      lateMs = 61_000;
      await afterRun.round(fenceOf(kit));
      const other = await replicaOn(database, clock);
      kits.push(other.kit);
      for (const each of [operations, other.operations])
        expect(each.report(plan.id!)).toMatchObject({
          sha256: report.sha256,
          plan: { latency: { during: { answers: 30 }, after: { answers: 20 } } },
        });
      const { revision } = await kit.store.range(keys.cluster, { keysOnly: true });
      await afterRun.round(fenceOf(kit));
      expect((await kit.store.range(keys.cluster, { keysOnly: true })).revision).toBe(revision);
    });

    // Plan: a run past the rules has a copy under way when its time is over: it is cancelled with the reason, the copy goes, all copies stay.
    it.each(['executing', 'paused'])('end a run past the rules with its time, %s', async (running) => {
      const { register } = kit;
      const executor = new Executor({
        register,
        observed,
        runs: new RunLatencies(),
        clock: lateClock,
        logger: silentLogger,
        targetGraceMs: 1_000,
      });
      const execute = () => executor.round(fenceOf(kit), false);
      const copies = () =>
        register.state.keyspaces
          .get('orders')!
          .map.records()
          .map(({ replicas }) => replicas);
      await setPolicy({ fourEyes: true });
      const before = copies();
      const plan = await propose();
      await approve(plan, ANN, { breakGlassMs: 60_000 });
      await execute();
      lateMs = 59_000;
      await execute();
      const now = () => operations.getPlan(plan.id!);
      const learners = () => copies().flatMap((replicas) => replicas.filter(({ role }) => role === 'learner')).length;
      expect([now().state, learners() > 0]).toEqual(['executing', true]);
      if (running === 'paused') await operations.actOnPlan({ id: plan.id!, action: 'pause', ...BOB });
      lateMs = 60_001;
      await execute();
      expect(now().events).toContainEqual(
        expect.objectContaining({
          actor: 'cadastre',
          what: expect.stringMatching(/^cancelling: the 60 s are over for which ann/),
        }),
      );
      for (let rounds = 0; now().state !== 'cancelled' && rounds < 10; rounds += 1) await execute();
      expect([now().state, learners()]).toEqual(['cancelled', 0]);
      expect(copies()).toEqual(before);
      const { entries = [] } = await operations.listAudit({
        before: 0,
        limit: 100,
        subject: 'plan/',
        actor: 'cadastre',
      });
      expect(entries.map(({ verb }) => verb)).toContain('cancel');
    });

    // Plan: freeze with and without a reason, twice, seen in status; unfreeze, and again.
    it('are stopped by a person', async () => {
      await expect(operations.freeze({ actor: 'ann' })).rejects.toEqual(refusal('INVALID_ARGUMENT', 'reason'));
      await operations.freeze({ actor: 'ann', reason: 'incident 7' });
      expect(operations.status()).toMatchObject({
        freezes: [{ by: 'person', actor: 'ann', because: 'incident 7' }],
        health: 'Frozen by ann: incident 7',
      });
      await expect(operations.freeze(BOB)).rejects.toEqual(refusal('FAILED_PRECONDITION'));
      expect(await operations.unfreeze(BOB)).toMatchObject({ by: 'person' });
      await expect(operations.unfreeze(BOB)).rejects.toEqual(refusal('FAILED_PRECONDITION'));
    });

    // Plan: an edit of what somebody else has changed in the meantime is refused, for each thing that is edited.
    it('are edited only as they were read', async () => {
      const { version = '' } = operations.approvalPolicy();
      await setPolicy({ approvals: 2 });
      const stale = { actor: 'ann', expected: version };
      await expect(operations.setApprovalPolicy(DEFAULT_APPROVAL_POLICY, stale)).rejects.toEqual(
        refusal('FAILED_PRECONDITION', 'version'),
      );
      await expect(operations.changeSettings({ repair: 'off' }, stale)).rejects.toEqual(
        refusal('FAILED_PRECONDITION', 'version'),
      );
      await expect(operations.setPolicy('', {}, stale)).rejects.toEqual(refusal('FAILED_PRECONDITION', 'version'));
      const now = { actor: 'ann', expected: operations.approvalPolicy().version! };
      expect((await operations.setApprovalPolicy(DEFAULT_APPROVAL_POLICY, now)).version).toBe(version);
    });
  });

  describe('what has run', () => {
    // Plan: a plan that has not ended cannot be undone; after it has, its report is final and the same each time, and undoing it proposes
    // a plan that waits for a person like any other.
    it('is reported and undone', async () => {
      const plan = await propose();
      await expect(operations.undoPlan(plan.id!, ANN)).rejects.toEqual(refusal('FAILED_PRECONDITION', 'id'));
      expect(operations.report(plan.id!)).toMatchObject({ final: false, sha256: '' });
      await approve(plan, BOB);
      await finish(plan.id!);
      const report = operations.report(plan.id!);
      expect(report).toMatchObject({
        final: true,
        actualMs: 2_000,
        actualBytes: plan.moves!.length * 10,
        plan: { approvals: [{ actor: 'bob' }], state: 'completed' },
      });
      await operations.drainNode('n1', true, ANN);
      expect(operations.report(plan.id!)).toEqual(report);
      expect(operations.getPlan(plan.id!).allowedActions).toEqual(['undo']);
    });

    // Plan: before, during and after a drain: what could leave, which plan empties it, what is left; and a node that nobody else can take
    // over from is refused by name.
    it('empties a node, or names what is in the way', async () => {
      expect(operations.drain('n1')).toMatchObject({
        state: 'not-draining',
        blockers: [],
        replicasLeft: 4,
        safeToDelete: false,
      });
      const plan = await propose();
      expect(operations.drain('n1')).toMatchObject({ state: 'waits-for-approval', plan: plan.id, replicasTotal: 4 });
      await operations.actOnPlan({ id: plan.id!, action: 'reject', ...BOB });
      expect(operations.drain('n1').state).toBe('needs-plan');
      for (const node of ['n3', 'n4', 'n2'])
        await kit.store.txn({ compare: [], success: [op.delete(keys.session(node))] });
      await kit.mirror.reached((await kit.store.range(keys.cluster)).revision);
      const blocked = operations.drain('n1');
      expect(blocked).toMatchObject({ state: 'blocked', safeToDelete: false });
      expect(blocked.blockers![0]).toContain('keyspace orders: ');
      expect(() => operations.drain('nobody')).toThrow(refusal('NOT_FOUND', 'id'));
    });

    // Plan: two plans wait or run on two keyspaces; all that can be cancelled is.
    it('is ended all at once', async () => {
      const plan = await propose();
      await approve(plan, BOB);
      expect((await operations.cancelAll(EVE)).plans).toMatchObject([{ id: plan.id, state: 'cancelled' }]);
      expect((await operations.cancelAll(EVE)).plans).toEqual([]);
    });
  });

  describe('the audit log', () => {
    const tamper = async (...ops: ReturnType<typeof op.put | typeof op.delete>[]) => {
      await kit.store.txn({ compare: [compare.exists(keys.cluster)], success: ops });
      return (await operations.verifyAudit([])).faults!.map((f) => f.kind);
    };

    // Plan: verified whole; listed in pages; then an entry is edited, deleted, and two change places.
    it('shows who tampered with it', async () => {
      await propose();
      await setPolicy({ approvals: 2 });
      expect(await operations.verifyAudit([])).toMatchObject({ intact: true, first: 1, last: 3, entries: 3 });
      const first = await operations.listAudit({ before: 0, limit: 2, subject: '', actor: '' });
      expect(first).toMatchObject({ entries: [{ number: 3 }, { number: 2 }], next: 2 });
      const { entries, next } = await operations.listAudit({ before: 2, limit: 2, subject: '', actor: '' });
      expect([entries!.map((e) => e.number), next]).toEqual([[1], 0]);
      const [one, two] = await Promise.all([kit.store.get(keys.audit(1)), kit.store.get(keys.audit(2))]);
      expect(await tamper(op.put(keys.audit(2), one!.value))).toEqual(expect.arrayContaining(['reordered']));
      expect(await tamper(op.put(keys.audit(2), Buffer.concat([two!.value, Buffer.from([0x32, 1, 65])])))).toContain(
        'edited',
      );
      expect(await tamper(op.delete(keys.audit(2)))).toEqual(['missing']);
      expect(await tamper(op.put(keys.audit(2), two!.value))).toEqual([]);
    });
  });
});
