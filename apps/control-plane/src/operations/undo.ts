import type { PlanBody, PlanInput } from '@cadastre/core';
import { CadastreError, isFinal, onlyMoves, proposePlan, reverseMoves } from '@cadastre/core';
import type { PlanView } from '@cadastre/store';

export type WayBack =
  | { readonly kind: 'plan'; readonly body: PlanBody; readonly notes: readonly string[] }
  | { readonly kind: 'nothing'; readonly because: string };

/**
 * The moves of an ended run in reverse, as far as the cluster as it is now allows them: each asked for by hand, so that no hard
 * constraint is broken by going back. What else the planner would do at the same time is left out.
 * @throws CadastreError FAILED_PRECONDITION while the plan has not ended
 */
export const undoBody = (
  plan: PlanView,
  input: PlanInput,
  by: { readonly proposer: string; readonly reason: string },
): WayBack => {
  const { id, state } = plan.head;
  if (!isFinal(state))
    throw new CadastreError('FAILED_PRECONDITION', `plan ${id} is ${state}: only what has ended can be undone`, {
      field: 'id',
      remedy: `wait for it, or cancel it: cadastre plan cancel ${id}`,
    });
  const done = plan.body.moves.filter((m) => plan.moves.get(m.index)?.value.phase === 'done');
  if (done.length === 0) return { kind: 'nothing', because: `plan ${id} moved nothing` };
  const back = reverseMoves(done);
  if (back.length === 0)
    return { kind: 'nothing', because: `plan ${id} only mended what was lost; that has no way back` };
  const proposal = proposePlan({ ...input, manual: back.map((m) => ({ ...m, by: by.proposer })) });
  if (proposal.kind === 'nothing') return { kind: 'nothing', because: proposal.because };
  const isWanted = new Set(back.map((m) => `${m.keyspace}/${m.partition}/${m.to}`));
  const draft = onlyMoves(
    proposal.plan,
    input.keyspaces,
    (m) => isWanted.has(`${m.keyspace}/${m.partition}/${m.to}`),
    `plan ${id} is undone move by move`,
  );
  const refused = proposal.notes.filter((note) => note.startsWith('the request to move'));
  if (!draft) return { kind: 'nothing', because: refused.join(' ') || `nothing of plan ${id} can go back` };
  const reason = by.reason === '' ? `undo of ${id}` : by.reason;
  return { kind: 'plan', body: { ...draft, proposer: by.proposer, reason }, notes: refused };
};
