import { invalid, LIMITS, printable } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeGeneration } from '@cadastre/contracts';
import type { Draft, Part, RegisterState } from '@cadastre/store';
import { dropKeyspacePart, join, requireKeyspace } from '@cadastre/store';
import type { Act } from './ports.js';

/** All data of the keyspace goes for ever, so its name is given twice, and a reason. @throws CadastreError INVALID_ARGUMENT, NOT_FOUND */
export const checkDrop = (state: RegisterState, name: string, confirm: string, { reason }: Act): void => {
  requireKeyspace(state, name);
  if (confirm !== name)
    throw invalid('confirm', 'is not the name of the keyspace', 'give the name once more: its data goes for ever');
  if (!reason?.trim()) throw invalid('reason', 'is missing', 'say why; it is kept in the audit log');
};

/** Proposals for it are superseded in the same transaction, so that none is approved meanwhile. */
export const dropDraft = (
  state: RegisterState,
  name: string,
  { actor, reason = '' }: Act,
  superseded: Part,
): Draft<Wire.DropKeyspaceReply> => {
  const { record, map } = requireKeyspace(state, name);
  return {
    ...join(dropKeyspacePart(state, name), superseded),
    result: { last: encodeGeneration(map.generation), partitions: record.partitions },
    audit: {
      actor,
      verb: 'drop',
      subject: `keyspace/${name}`,
      reason: printable(reason, LIMITS.reasonCharsMax),
      before: `${record.partitions} partitions, RF ${record.spec.replicationFactor}`,
      generation: [{ keyspace: name, generation: map.generation }],
    },
  };
};
