import type { PlannerNode } from '@cadastre/core';
import type { RegisterState } from '@cadastre/store';

export type NodeState = PlannerNode['state'];

/** Connected is up, whatever an operator wants of it next. */
export const isConnected = (state: RegisterState, node: string): boolean => {
  const session = state.sessions.get(node);
  return session !== undefined && session.incarnation === state.nodes.get(node)?.value.incarnation;
};

export const nodeState = (state: RegisterState, node: string): NodeState => {
  if (!isConnected(state, node)) return 'down';
  return state.nodes.get(node)?.value.adminState === 'draining' ? 'draining' : 'up';
};

export const plannerNodes = (state: RegisterState): PlannerNode[] =>
  [...state.nodes.values()].map(({ value }) => ({
    entry: { ...value.entry, capacity: value.capacity },
    state: nodeState(state, value.entry.id),
  }));
