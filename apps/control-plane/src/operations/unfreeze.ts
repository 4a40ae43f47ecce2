import type { Wire } from '@cadastre/contracts';
import { CadastreError, invalid } from '@cadastre/core';
import type { Register } from '@cadastre/store';
import { freezePart } from '@cadastre/store';
import type { Act } from './ports.js';

/**
 * A person accepts the loss of the nodes that are gone: the active controller fails them over and acts again. The loss of a further node may
 * freeze it anew. @throws CadastreError FAILED_PRECONDITION when nothing is frozen
 */
export const unfreeze = async (register: Register, { actor, reason = '' }: Act): Promise<Wire.UnfreezeReply> => {
  const by = actor.trim();
  if (by === '') throw invalid('actor', 'is missing', 'say who acts');
  const { result } = await register.commit((state) => {
    const freeze = state.freeze?.value;
    if (!freeze || freeze.acceptedBy !== '')
      throw new CadastreError('FAILED_PRECONDITION', 'automation is not frozen', {
        remedy: 'see cadastre status',
      });
    return {
      ...freezePart(state, { ...freeze, acceptedBy: by }),
      result: freeze.nodes,
      audit: {
        actor: by,
        verb: 'unfreeze',
        subject: 'automation',
        reason,
        before: freeze.because,
        after: `goes on without ${freeze.nodes.join(', ')}`,
      },
    };
  });
  return { nodes: [...result] };
};
