import { CadastreError } from '@cadastre/core';
import type { RegisterState, StoreConcern } from '@cadastre/store';
import { isWaitingForRecovery } from '@cadastre/store';

/**
 * A restored register's map may be long out of date: while it waits nobody is given it, so agents and clients go on by the last one that
 * they had. @throws CadastreError UNAVAILABLE
 */
export const refuseWithheld = (state: RegisterState): void => {
  if (isWaitingForRecovery(state))
    throw new CadastreError('UNAVAILABLE', 'the register was restored from a copy, and its map is not given out yet', {
      remedy: 'go on with the map that you have; an operator has to approve: cadastre recovery show',
    });
};

/** What status, page and log say of it. */
export const recoveryConcern = ({ recovery }: RegisterState): StoreConcern[] => {
  if (!recovery) return [];
  if (recovery.value.state === 'waiting')
    return [
      {
        id: 'recovery',
        level: 'critical',
        what: 'the register was restored from a copy and waits: data is served by the last maps, nothing changes',
        remedy: 'cadastre recovery show, then cadastre recovery approve',
      },
    ];
  return [
    {
      id: 'recovery',
      level: 'warning',
      what: 'the register goes on after a restore; copies that no map names are kept, and nothing is purged',
      remedy: 'cadastre recovery finish, once nothing is missed',
    },
  ];
};
