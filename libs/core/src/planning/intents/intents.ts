import { compareStrings } from '../../bytes.js';
import { votersOf } from '../../map/records.js';
import { countViolations } from '../simulate/violations.js';
import type { PlanInput, PlanScore } from '../plan.js';

export const INTENT_KINDS = [
  'node-lost',
  'policy-changed',
  'node-drained',
  'node-joined',
  'imbalance',
  'hot-spot',
  'manual',
] as const;
export type IntentKind = (typeof INTENT_KINDS)[number];

/** Something that asks for a plan: seen in the world as it is, so that a restart sees it again. */
export interface Intent {
  readonly kind: IntentKind;
  /** The node, keyspace or partition. */
  readonly subject: string;
  /** One line, part of the plan's reason. */
  readonly text: string;
}

export interface IntentRules {
  /** A node that is down for less may come back by itself. */
  readonly lostGraceMs: number;
  /** A dimension begins to count as out of balance beyond this deviation, and stops below half of it. */
  readonly tolerance: number;
  /** A partition is hot with so many times the mean load of its keyspace's partitions. */
  readonly hotFactor: number;
}

export const DEFAULT_INTENT_RULES: IntentRules = { lostGraceMs: 600_000, tolerance: 0.05, hotFactor: 8 };

/** What is seen beside the planner's own input. */
export interface IntentSigns {
  /** How long a node has been down, by id. */
  readonly downForMs: ReadonlyMap<string, number>;
  /** Deviation of dimensions and counts as the planner scores them; smoothed by whoever measures loads. */
  readonly scores: readonly PlanScore[];
  /** Dimensions that counted as out of balance at the last look: the upper edge made them so, the lower edge ends it. */
  readonly unbalanced: ReadonlySet<string>;
}

/** Scores that are no deviation from a share. */
const NO_DEVIATION = new Set(['partners', 'missing', 'violations', 'replicas', 'leaders']);

/** All that asks for a plan now, the most urgent first. Manual moves are the operator's own call, and stand in `input.manual`. */
export const intentsOf = (
  input: PlanInput,
  signs: IntentSigns,
  rules: IntentRules = DEFAULT_INTENT_RULES,
): Intent[] => {
  const holding = new Set(input.keyspaces.flatMap((k) => k.records).flatMap(votersOf));
  const found = [
    ...nodeIntents(input, signs, rules, holding),
    ...input.keyspaces.flatMap((k) => policyIntents(input, k)),
    ...unbalancedDimensions(signs, rules).map((name): Intent => ({
      kind: 'imbalance',
      subject: name,
      text: `${name} is out of balance`,
    })),
    ...input.keyspaces.flatMap((k) => hotSpots(k, rules)),
    ...(input.manual ?? []).map((m): Intent => ({
      kind: 'manual',
      subject: `${m.keyspace}/${m.partition}`,
      text: `${m.by ?? 'an operator'} moves ${m.keyspace}/${m.partition} to ${m.to}`,
    })),
  ];
  const rank = (intent: Intent): number => INTENT_KINDS.indexOf(intent.kind);
  return found.sort((a, b) => rank(a) - rank(b) || compareStrings(a.subject, b.subject));
};

const nodeIntents = (
  { nodes }: PlanInput,
  { downForMs }: IntentSigns,
  { lostGraceMs }: IntentRules,
  holding: ReadonlySet<string>,
): Intent[] =>
  nodes.flatMap(({ entry: { id }, state }): Intent[] => {
    if (state === 'up' && !holding.has(id) && holding.size > 0)
      return [{ kind: 'node-joined', subject: id, text: `${id} joined` }];
    if (state === 'draining' && holding.has(id)) return [{ kind: 'node-drained', subject: id, text: `${id} drains` }];
    if (state === 'down' && holding.has(id) && (downForMs.get(id) ?? 0) >= lostGraceMs)
      return [{ kind: 'node-lost', subject: id, text: `${id} is lost for longer than the grace` }];
    return [];
  });

const policyIntents = (input: PlanInput, { spec, records }: PlanInput['keyspaces'][number]): Intent[] => {
  const replicas: string[][] = [];
  for (const record of records) replicas[record.partition] = votersOf(record);
  const rows = Array.from(replicas, (row) => row ?? []);
  const broken = countViolations(spec, input.nodes, rows, input.clusterPolicy);
  if (broken === 0) return [];
  const text = `${broken} copies of ${spec.name} stand where its policy allows none`;
  return [{ kind: 'policy-changed', subject: spec.name, text }];
};

/** With hysteresis: beyond the tolerance it begins, below half of it it ends. */
export const unbalancedDimensions = ({ scores, unbalanced }: IntentSigns, { tolerance }: IntentRules): string[] =>
  scores
    .filter((s) => !NO_DEVIATION.has(s.name))
    .filter((s) => s.before > (unbalanced.has(s.name) ? tolerance / 2 : tolerance))
    .map((s) => s.name);

const hotSpots = ({ spec, records, loadsOf }: PlanInput['keyspaces'][number], { hotFactor }: IntentRules): Intent[] => {
  if (!loadsOf || records.length === 0) return [];
  const sums = new Map<string, number>();
  for (const { partition } of records)
    for (const [name, load] of Object.entries(loadsOf(partition))) sums.set(name, (sums.get(name) ?? 0) + load);
  return records.flatMap(({ partition }) => {
    const hot = Object.entries(loadsOf(partition)).find(
      ([name, load]) => load > 0 && load > (hotFactor * sums.get(name)!) / records.length,
    );
    if (!hot) return [];
    const times = Math.round((hot[1] * records.length) / sums.get(hot[0])!);
    const subject = `${spec.name}/${partition}`;
    return [{ kind: 'hot-spot' as const, subject, text: `${subject} has ${times} times the mean ${hot[0]}` }];
  });
};
