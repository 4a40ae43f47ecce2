import { CadastreError } from '../errors.js';
import type { KeyspaceSpec } from '../map/records.js';
import type { Constraint, Domains, PlannerNode } from './domains.js';
import { domainsOver, isUnlabelled } from './domains.js';

/** What is missing, when `copies` of one partition cannot be placed under the hard constraints. */
export interface Lack {
  readonly field: string;
  readonly message: string;
  readonly remedy: string;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** @throws CadastreError UNSATISFIABLE naming the field and what is missing. Only nodes that are up count. */
export const checkSatisfiable = (spec: KeyspaceSpec, nodes: readonly PlannerNode[]): void => {
  const up = nodes.filter((n) => n.state === 'up').map((n) => n.entry);
  const lack = findLack(domainsOver(spec, up), spec.replicationFactor);
  if (lack) {
    throw new CadastreError('UNSATISFIABLE', `${spec.name}: ${lack.message}`, {
      field: lack.field,
      remedy: lack.remedy,
      limit: plural(up.length, 'node'),
    });
  }
};

export const findLack = (domains: Domains, copies: number): Lack | undefined => {
  if (domains.size < copies) {
    const message = `needs ${plural(copies, 'node')}, ${domains.size} ${domains.size === 1 ? 'is' : 'are'} up`;
    return {
      field: 'replicationFactor',
      message,
      remedy: `add ${plural(copies - domains.size, 'node')}, or ask for ${domains.size} copies`,
    };
  }
  const single = domains.constraints.map((c) => lackOf(c, copies)).find((l) => l !== undefined);
  if (single) return single;
  const most = mostCopies(domains);
  return most >= copies ? undefined : lackTogether(domains, copies, most);
};

const lackOf = (c: Constraint, copies: number): Lack | undefined => {
  const field = `spread[${c.index}]`;
  const held = c.names.length * c.max;
  if (held < copies) {
    const needed = Math.ceil(copies / c.max);
    if (isUnlabelled(c)) {
      const remedy = `spread over a label that the nodes carry, such as zone, or start agents with --label ${c.label}=...`;
      return { field, message: `needs ${plural(needed, c.label)}, and no node carries that label`, remedy };
    }
    const message = `needs ${plural(needed, c.label)}, ${c.names.length} exist${c.names.length === 1 ? 's' : ''}`;
    return {
      field,
      message,
      remedy: `add nodes in ${needed - c.names.length} more, or allow more copies per ${c.label}`,
    };
  }
  const sizes = new Int32Array(c.names.length);
  for (const domain of c.of) sizes[domain]! += 1;
  const places = sizes.reduce((sum, size) => sum + Math.min(size, c.max), 0);
  if (places >= copies) return undefined;
  return {
    field,
    message: `the nodes of ${plural(c.names.length, c.label)} can hold ${places} of ${copies} copies`,
    remedy: `add nodes to the ${c.label} that has fewest`,
  };
};

const lackTogether = (domains: Domains, copies: number, most: number): Lack => {
  const inner = [...domains.constraints].sort((a, b) => b.names.length - a.names.length)[0]!;
  const labels = domains.constraints.map((c) => c.label).join(' and ');
  return {
    field: `spread[${inner.index}]`,
    message: `${labels} together leave room for ${most} of ${copies} copies`,
    remedy: `spread the nodes over more domains of ${inner.label}, or relax one of the constraints`,
  };
};

/** Exact for nested labels, where the hierarchy counts; for labels that cut across each other, what a greedy choice reaches. */
export const mostCopies = (domains: Domains): number => {
  const nested = domains.constraints.every(
    (_, i) => domains.root.slots === 0 || domains.pathOf[0]!.some((g) => g.constraint === i),
  );
  return nested ? domains.root.slots : Math.min(domains.root.slots, greedyCopies(domains));
};

/** Takes the node next whose domains have most places left, so that scarce domains are used last. */
const greedyCopies = (domains: Domains): number => {
  const used = domains.constraints.map((c) => new Int32Array(c.names.length));
  const free = new Set(Array.from({ length: domains.size }, (_, i) => i));
  const fits = (node: number): boolean => domains.constraints.every((c, i) => used[i]![c.of[node]!]! < c.max);
  const ruledOut = (node: number): number => {
    let count = 0;
    for (const other of free)
      if (domains.constraints.some((c, i) => c.of[other] === c.of[node] && used[i]![c.of[node]!]! + 1 >= c.max))
        count += 1;
    return count;
  };
  for (let copies = 0; ; copies += 1) {
    let best = -1;
    let least = Infinity;
    for (const node of free) {
      if (!fits(node)) {
        free.delete(node);
        continue;
      }
      const out = ruledOut(node);
      if (out < least) {
        least = out;
        best = node;
      }
    }
    if (best < 0) return copies;
    free.delete(best);
    domains.constraints.forEach((c, i) => {
      used[i]![c.of[best]!]! += 1;
    });
  }
};
