import { invalid, LIMITS, printable } from '@cadastre/core';
import type { Act } from './ports.js';

/**
 * Who acts, whole: cut to a length, two people could pass for one, and the rules of approval count people by these words.
 * @throws CadastreError INVALID_ARGUMENT
 */
export const requireActor = ({ actor, reason = '' }: Pick<Act, 'actor' | 'reason'>): string => {
  const who = actor.trim();
  if (who === '')
    throw invalid(
      'actor',
      'is missing',
      'say who acts: --actor NAME (a token kept for another cluster stands in its way: cadastre logout)',
    );
  requireLength('actor', who, LIMITS.actorCharsMax);
  requireLength('reason', reason, LIMITS.reasonCharsMax);
  return printable(who, LIMITS.actorCharsMax);
};

const requireLength = (field: string, text: string, most: number): void => {
  if (text.length > most) throw invalid(field, `has ${text.length} characters`, 'shorten it', `${most} characters`);
};
