import { hexOf, textOf } from './key-bytes.js';
import type { PartitionSet, Policy } from './policy.js';

/** What `readPolicy` reads. */
export type PolicyJson = Readonly<Record<string, unknown>>;

/** A policy as JSON for people and files. Read back, it is the same policy. */
export const policyJson = (policy: Policy): PolicyJson => ({
  ...policy,
  ...(policy.residency && {
    residency: policy.residency.map((r) => ({ ...r, partitions: setJson(r.partitions) })),
  }),
  ...(policy.tenants && { tenants: policy.tenants.map((t) => ({ ...t, partitions: setJson(t.partitions) })) }),
});

const setJson = (set: PartitionSet): PolicyJson =>
  set.kind === 'keys'
    ? { kind: 'keys', ...keyJson('start', set.start), ...(set.end && keyJson('end', set.end)) }
    : { ...set };

const keyJson = (name: 'start' | 'end', bytes: Uint8Array): PolicyJson => {
  if (bytes.length === 0) return {};
  const text = textOf(bytes);
  return text === undefined ? { [`${name}Hex`]: hexOf(bytes) } : { [name]: text };
};
