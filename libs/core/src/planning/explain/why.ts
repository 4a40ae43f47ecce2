import { CadastreError, invalid } from '../../errors.js';
import { printable } from '../../limits.js';
import { replicaOn } from '../../map/records.js';
import type { PlanInput, Proposal } from '../plan.js';
import { proposePlan } from '../propose.js';
import type { PlacementCheck } from './check.js';
import { constraintChecks } from './constraints.js';
import { goalChecks } from './goals.js';
import type { ExplainedPartition } from './world.js';
import { gather } from './world.js';

export const WHY_VERDICTS = ['stays', 'leaves', 'arrives', 'must-leave', 'could', 'not-now', 'cannot'] as const;
/**
 * `stays`, `leaves`, `must-leave` (and no plan can yet): of a node that has a copy. `arrives`: the plan brings one. `could`: nothing
 * speaks against it, and nothing asks for it. `not-now`: a goal speaks against it. `cannot`: a constraint forbids it.
 */
export type WhyVerdict = (typeof WHY_VERDICTS)[number];

export interface Explanation {
  readonly keyspace: string;
  readonly partition: number;
  readonly node: string;
  readonly role: 'leader' | 'follower' | 'learner' | 'none';
  readonly verdict: WhyVerdict;
  /** What decided it: a constraint, a goal, or `plan`. */
  readonly rule: string;
  readonly value: string;
  readonly limit: string;
  /** One sentence. */
  readonly because: string;
  /** Everything that was looked at, constraints first. */
  readonly checks: readonly PlacementCheck[];
}

/**
 * Why a partition is on a node, or is not, or will be: for any pair, from the same input and plan as the planner's.
 * @param proposal of this input, where it is at hand
 * @throws CadastreError NOT_FOUND for a keyspace, partition or node that is not there
 */
export const why = (
  input: PlanInput,
  keyspace: string,
  partition: number,
  node: string,
  proposal: Proposal = proposePlan(input),
): Explanation => {
  const { found, record } = lookUp(input, keyspace, partition, node);
  const world = gather(input, proposal, found, record);
  const checks = [...constraintChecks(world, node), ...goalChecks(world, node)];
  const decided = decide(world, node, checks);
  const role = replicaOn(record, node)?.role ?? 'none';
  return { keyspace, partition, node, role, ...decided, checks };
};

const lookUp = (input: PlanInput, keyspace: string, partition: number, node: string) => {
  const found = input.keyspaces.find((k) => k.spec.name === keyspace);
  if (!found)
    throw missing(
      'keyspace',
      `keyspace "${printable(keyspace)}" does not exist`,
      input.keyspaces.map((k) => k.spec.name),
    );
  if (!Number.isInteger(partition) || partition < 0)
    throw invalid('partition', `${partition} is no partition`, 'give its number, from 0');
  const record =
    found.records[partition]?.partition === partition
      ? found.records[partition]
      : found.records.find((r) => r.partition === partition);
  if (!record)
    throw new CadastreError(
      'NOT_FOUND',
      `${keyspace} has ${found.records.length} partitions, ${partition} is none of them`,
      {
        field: 'partition',
        remedy: 'use a number below that',
      },
    );
  if (!input.nodes.some((n) => n.entry.id === node))
    throw missing(
      'node',
      `node "${printable(node)}" does not exist`,
      input.nodes.map((n) => n.entry.id),
    );
  return { found, record };
};

const NAMED = 10;

const missing = (field: string, message: string, known: readonly string[]): CadastreError => {
  const some = known.slice(0, NAMED).join(', ');
  const more = known.length > NAMED ? ` and ${known.length - NAMED} more` : '';
  return new CadastreError('NOT_FOUND', message, {
    field,
    remedy: some === '' ? 'there is none yet' : `use one of ${some}${more}`,
  });
};

type Decision = Pick<Explanation, 'verdict' | 'rule' | 'value' | 'limit' | 'because'>;

const decide = (world: ExplainedPartition, node: string, checks: readonly PlacementCheck[]): Decision => {
  const isHere = world.holders.includes(node);
  const move = world.moves.find((m) =>
    isHere ? m.from === node && m.kind !== 'leader' : m.to === node && m.kind !== 'leader',
  );
  if (move) {
    const where = isHere
      ? move.to === ''
        ? 'it goes'
        : `it goes to ${move.to}`
      : `it comes${move.from === '' ? '' : ` from ${move.from}`}`;
    return {
      verdict: isHere ? 'leaves' : 'arrives',
      rule: 'plan',
      value: `step ${move.step}`,
      limit: '',
      because: `${where} in step ${move.step} of the plan: ${move.reason}`,
    };
  }
  const failed = checks.find((c) => c.verdict === 'fail');
  if (failed)
    return by(
      failed,
      isHere ? 'must-leave' : 'cannot',
      isHere ? `${failed.text}; no allowed place is free for it yet` : failed.text,
    );
  if (isHere) return by(staysBy(checks), 'stays', stayText(world, node));
  const against = checks.find(
    (c) => c.verdict === 'avoid' && c.rule !== 'balance.leaders' && c.rule !== 'leaderPreferences',
  );
  if (against) return by(against, 'not-now', against.text);
  const balance = checks.find((c) => c.rule === 'balance.replicas')!;
  return by(
    balance,
    'could',
    `nothing forbids it, but ${world.holders.join(', ')} hold${world.holders.length === 1 ? 's' : ''} all ${world.holders.length} copies, and moving one would gain nothing: ${balance.text}`,
  );
};

const by = (found: PlacementCheck, verdict: WhyVerdict, because: string): Decision => ({
  verdict,
  rule: found.rule,
  value: found.value,
  limit: found.limit,
  because,
});

const staysBy = (checks: readonly PlacementCheck[]): PlacementCheck =>
  checks.find((c) => c.rule === 'pins' && c.value === 'pinned') ?? checks.find((c) => c.rule === 'balance.replicas')!;

const stayText = (world: ExplainedPartition, node: string): string => {
  const transfer = world.moves.find((m) => m.kind === 'leader' && (m.from === node || m.to === node));
  const leads = transfer ? `; the plan gives leadership to ${transfer.to}: ${transfer.reason}` : '';
  const now = world.now.copies.get(node) ?? 0;
  return `every constraint holds, and ${node} keeps ${now === (world.after.copies.get(node) ?? 0) ? `its ${now}` : `${world.after.copies.get(node) ?? 0} of its ${now}`} replicas${leads}`;
};
