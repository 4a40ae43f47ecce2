import { CadastreError } from '../errors.js';
import type { KeyspaceSpec } from '../map/records.js';
import { partitionCount } from '../partitioning/partitioner.js';
import { effectivePolicies } from '../policy/effective.js';
import type { Policy } from '../policy/policy.js';
import type { Constraint, Domains, PlannerNode } from './domains.js';
import { isUnlabelled } from './domains.js';
import { classOver } from './classes.js';
import { membersOf, mostCopies } from './most-copies.js';

/** What is missing, when `copies` of one partition cannot be placed under the hard constraints. */
export interface Lack {
  readonly field: string;
  readonly message: string;
  readonly remedy: string;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** @throws CadastreError UNSATISFIABLE naming the field and what is missing. Only nodes that are up count. */
export const checkSatisfiable = (spec: KeyspaceSpec, nodes: readonly PlannerNode[], clusterPolicy?: Policy): void => {
  const up = nodes.filter((n) => n.state === 'up').map((n) => n.entry);
  const open = new Uint8Array(up.length).fill(1);
  for (const { policy } of effectivePolicies(spec, partitionCount(spec.scheme), clusterPolicy)) {
    const lack = findLack(classOver(policy, up, open).domains, policy.replicationFactor);
    if (!lack) continue;
    throw new CadastreError('UNSATISFIABLE', `${spec.name}: ${lack.message}`, {
      field: lack.field,
      remedy: lack.remedy,
      limit: plural(up.length, 'node'),
    });
  }
};

export const findLack = (domains: Domains, copies: number): Lack | undefined => {
  const members = membersOf(domains);
  const size = members.length;
  if (size < copies) {
    const message = `needs ${plural(copies, 'node')}, ${size} ${size === 1 ? 'is' : 'are'} up`;
    return {
      field: 'replicationFactor',
      message,
      remedy: `add ${plural(copies - size, 'node')}, or ask for ${size} copies`,
    };
  }
  const single = domains.constraints.map((c) => lackOf(c, copies, members)).find((l) => l !== undefined);
  if (single) return single;
  const most = mostCopies(domains);
  return most >= copies ? undefined : lackTogether(domains, copies, most);
};

const lackOf = (c: Constraint, copies: number, members: readonly number[]): Lack | undefined => {
  const field = `spread[${c.index}]`;
  const sizes = new Int32Array(c.names.length);
  for (const node of members) sizes[c.of[node]!]! += 1;
  const domains = sizes.reduce((count, size) => count + Number(size > 0), 0);
  if (domains * c.max < copies) {
    const needed = Math.ceil(copies / c.max);
    if (isUnlabelled(c)) {
      const remedy = `spread over a label that the nodes carry, such as zone, or start agents with --label ${c.label}=...`;
      return { field, message: `needs ${plural(needed, c.label)}, and no node carries that label`, remedy };
    }
    const message = `needs ${plural(needed, c.label)}, ${domains} exist${domains === 1 ? 's' : ''}`;
    return { field, message, remedy: `add nodes in ${needed - domains} more, or allow more copies per ${c.label}` };
  }
  const places = sizes.reduce((sum, size) => sum + Math.min(size, c.max), 0);
  if (places >= copies) return undefined;
  return {
    field,
    message: `the nodes of ${plural(domains, c.label)} can hold ${places} of ${copies} copies`,
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
