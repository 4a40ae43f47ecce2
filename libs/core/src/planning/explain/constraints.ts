import { inSyncOf, votersOf } from '../../map/records.js';
import { domainOf } from '../../placement/domains.js';
import type { Demand } from '../../policy/demands.js';
import { demandsOf, describeSpread, isNamed } from '../../policy/demands.js';
import { effectivePolicies } from '../../policy/effective.js';
import { DEFAULT_WATERMARKS } from '../../policy/policy.js';
import type { SpreadRule } from '../../policy/policy.js';
import type { PlacementCheck } from './check.js';
import { check, figure } from './check.js';
import type { ExplainedPartition } from './world.js';
import { entryOf } from './world.js';

/** Everything that must hold of a copy of this partition on this node, in the order in which it is decided. */
export const constraintChecks = (world: ExplainedPartition, node: string): PlacementCheck[] => [
  stateCheck(world, node),
  ...demandsOf(world.policy, world.others).flatMap((demand) => labelCheck(world, node, demand)),
  ...apartChecks(world, node),
  ...world.policy.spread.flatMap((rule, i) => spreadChecks(world, node, rule, `spread[${i}]`)),
  ...capacityChecks(world, node),
  ...pinChecks(world, node),
];

const stateCheck = ({ nodes, record }: ExplainedPartition, node: string): PlacementCheck => {
  const { state } = nodes.get(node)!;
  if (state === 'up') return check('state', 'pass', state, 'up', `${node} is up`);
  const sources = inSyncOf(record).filter((n) => (nodes.get(n)?.state ?? 'down') !== 'down');
  const text =
    state === 'draining'
      ? `${node} is draining: its copies leave, and none come`
      : `${node} is down: ${sources.length > 0 ? 'its copies are rebuilt elsewhere' : 'and no in-sync copy is left to rebuild from'}`;
  return check('state', 'fail', state, 'up', text);
};

const labelCheck = (world: ExplainedPartition, node: string, demand: Demand): PlacementCheck[] => {
  if (!demand.allows) return [];
  const { labels } = entryOf(world, node);
  const value = Object.entries(labels)
    .map(([k, v]) => `${k}=${v}`)
    .join(', ');
  const isAllowed = demand.allows({ labels });
  const text = `${node} ${isAllowed ? 'meets' : 'does not meet'} "${demand.text}"`;
  return [check(demand.field, isAllowed ? 'pass' : 'fail', value || 'no labels', demand.text, text)];
};

/** Tenants that are kept apart never share a node, in any keyspace. */
const apartChecks = (world: ExplainedPartition, node: string): PlacementCheck[] => {
  const mine = new Set(world.policy.tenants.map((t) => t.tenant));
  if (mine.size === 0) return [];
  const theirs = new Set(world.policy.tenants.flatMap((t) => t.apartFrom ?? []));
  for (const { spec, records } of world.input.keyspaces) {
    const partitions = records.reduce((most, r) => Math.max(most, r.partition), 0) + 1;
    for (const { first, last, policy } of effectivePolicies(spec, partitions, world.input.clusterPolicy)) {
      const enemy = policy.tenants.find(
        (t) => theirs.has(t.tenant) || (t.apartFrom ?? []).some((name) => mine.has(name)),
      );
      if (!enemy) continue;
      const found = records.find((r) => r.partition >= first && r.partition <= last && votersOf(r).includes(node));
      if (found)
        return [
          check(
            'tenants',
            'fail',
            `${spec.name}/${found.partition} of ${enemy.tenant}`,
            `apart from ${enemy.tenant}`,
            `${node} holds ${spec.name}/${found.partition} of tenant ${enemy.tenant}, which is kept apart`,
          ),
        ];
    }
  }
  return [];
};

const spreadChecks = (world: ExplainedPartition, node: string, rule: SpreadRule, field: string): PlacementCheck[] => {
  const bad = rule.hard ? 'fail' : 'avoid';
  const { label, maxPerDomain } = rule;
  const home = domainOf(entryOf(world, node), label);
  const others = world.holders.filter((n) => n !== node && world.nodes.has(n));
  const sharing = others.filter((n) => domainOf(entryOf(world, n), label) === home);
  const checks: PlacementCheck[] = [];
  if (maxPerDomain !== undefined) {
    const value = sharing.length + 1;
    // A full set gives up one copy for the new one, which may be the one that shares the domain.
    const isSwap =
      !world.holders.includes(node) &&
      value - 1 === maxPerDomain &&
      world.holders.length >= world.policy.replicationFactor;
    const verdict = value <= maxPerDomain || isSwap ? 'pass' : bad;
    const text =
      value <= maxPerDomain
        ? `with a copy on ${node} ${label} ${home} has ${value}, at most ${maxPerDomain} are allowed`
        : isSwap
          ? `${label} ${home} is full: only instead of the copy on ${sharing.join(' or ')}`
          : `${sharing.join(', ')} already hold${sharing.length === 1 ? 's' : ''} ${sharing.length} in ${label} ${home}, at most ${maxPerDomain} ${maxPerDomain === 1 ? 'is' : 'are'} allowed`;
    checks.push(check(field, verdict, value, maxPerDomain, text));
  }
  return [...checks, ...leastChecks(world, node, rule, field)];
};

/** A copy elsewhere must leave room for those that named domains have to hold. */
const leastChecks = (world: ExplainedPartition, node: string, rule: SpreadRule, field: string): PlacementCheck[] => {
  const least = Object.entries(rule.minPerDomain ?? {});
  if (least.length === 0) return [];
  const home = domainOf(entryOf(world, node), rule.label);
  const named = least.find(([name]) => isNamed(home, rule.label, name));
  const asked = least.reduce((sum, [, n]) => sum + n, 0);
  if (named) {
    const there = world.holders.filter(
      (n) => world.nodes.has(n) && isNamed(domainOf(entryOf(world, n), rule.label), rule.label, named[0]),
    ).length;
    return [
      check(
        field,
        'pass',
        there,
        `at least ${named[1]}`,
        `${rule.label} ${named[0]} needs at least ${named[1]}, it has ${there}`,
      ),
    ];
  }
  const room = world.policy.replicationFactor - asked;
  const elsewhere = world.holders.filter(
    (n) =>
      n !== node &&
      world.nodes.has(n) &&
      !least.some(([name]) => isNamed(domainOf(entryOf(world, n), rule.label), rule.label, name)),
  ).length;
  const isRoom = elsewhere + 1 <= room;
  return [
    check(
      field,
      isRoom ? 'pass' : rule.hard ? 'fail' : 'avoid',
      elsewhere + 1,
      room,
      `${describeSpread(rule)}: ${room} of ${world.policy.replicationFactor} copies may lie elsewhere, with ${node} it would be ${elsewhere + 1}`,
    ),
  ];
};

const capacityChecks = (world: ExplainedPartition, node: string): PlacementCheck[] => {
  const { capacity = {} } = entryOf(world, node);
  return Object.entries(capacity)
    .filter(([, most]) => most > 0)
    .map(([dimension, most]) => {
      const isHere = world.holders.includes(node);
      const now = usedOn(world, node, dimension);
      const used = isHere ? now : now + sizeOf(world.keyspace, world.record.partition, dimension);
      const marks = world.policy.watermarks[dimension] ?? DEFAULT_WATERMARKS;
      const share = used / most;
      const verdict = share > marks.high ? 'fail' : !isHere && share > marks.low ? 'avoid' : 'pass';
      const text = `${node} ${isHere ? 'uses' : 'would use'} ${figure(100 * share)} % of its ${dimension}; above ${figure(100 * marks.low)} % it takes copies only for repair, above ${figure(100 * marks.high)} % it sheds`;
      return check(`capacity.${dimension}`, verdict, figure(used), figure(most * marks.high), text);
    });
};

const sizeOf = ({ bytesOf, loadsOf }: ExplainedPartition['keyspace'], partition: number, dimension: string): number =>
  dimension === 'bytes' ? (bytesOf?.(partition) ?? 0) : (loadsOf?.(partition)[dimension] ?? 0);

const usedOn = ({ input }: ExplainedPartition, node: string, dimension: string): number =>
  input.keyspaces.reduce(
    (sum, keyspace) =>
      keyspace.records.reduce(
        (total, r) => (votersOf(r).includes(node) ? total + sizeOf(keyspace, r.partition, dimension) : total),
        sum,
      ),
    0,
  );

const pinChecks = ({ policy, input, record }: ExplainedPartition, node: string): PlacementCheck[] =>
  policy.pins
    .filter((pin) => pin.partition === record.partition && pin.node === node)
    .map((pin) => {
      const isOver = pin.expiresMs > 0 && pin.expiresMs <= (input.now ?? 0);
      const until = pin.expiresMs > 0 ? `until ${new Date(pin.expiresMs).toISOString()}` : 'for ever';
      const text = `${pin.owner} ${isOver ? 'had pinned' : 'has pinned'} it to ${node} ${until}: ${pin.reason}`;
      return check('pins', 'pass', isOver ? 'expired' : 'pinned', until, text);
    });
