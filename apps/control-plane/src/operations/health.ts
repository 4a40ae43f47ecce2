import type { Wire } from '@cadastre/contracts';
import type { KeyspaceMap } from '@cadastre/core';
import type { PlanView, RegisterState } from '@cadastre/store';
import { summaryOf } from './views.js';

/** One sentence for the operator: the worst thing first. */
export const healthOf = (
  state: RegisterState,
  nodes: readonly Wire.Node[],
  open: PlanView | undefined,
  frozen: string | undefined,
): string => {
  if (frozen) return capital(frozen);
  if (!state.controller) return 'No controller is active: data is served, nothing changes.';
  const problems = [...leaderless(state), ...down(nodes), ...underReplicated(state)];
  if (problems.length > 0) return `${capital(problems.join('; '))}.`;
  if (open?.head.state === 'proposed') return `Healthy; plan ${open.head.id} waits for a decision.`;
  if (open) return `Healthy; plan ${open.head.id} is ${open.head.state}.`;
  return state.keyspaces.size === 0
    ? 'Healthy; there is no keyspace yet.'
    : 'Healthy: every partition has its leader and all its copies.';
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const sum = (state: RegisterState, count: (map: KeyspaceMap) => number): number =>
  [...state.keyspaces.values()].reduce((total, { map }) => total + count(map), 0);

const leaderless = (state: RegisterState): string[] => {
  const count = sum(state, (map) => summaryOf(map).withoutLiveCopy((node) => state.sessions.has(node)));
  return count > 0 ? [`${count} partitions have no live in-sync copy`] : [];
};

const down = (nodes: readonly Wire.Node[]): string[] => {
  const names = nodes.filter((n) => n.state === 'down').map((n) => n.entry?.id ?? '');
  if (names.length === 0) return [];
  return [`nodes down: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} others` : ''}`];
};

const underReplicated = (state: RegisterState): string[] => {
  const count = sum(state, (map) => summaryOf(map).underReplicated);
  return count > 0 ? [`${count} partitions have fewer in-sync copies than wanted`] : [];
};
