import { invalid } from '../errors.js';
import { checkName, LIMITS, printable } from '../limits.js';
import { partitionCount } from '../partitioning/check-scheme.js';
import { checkScheme } from '../partitioning/partitioner.js';
import type { Scheme } from '../partitioning/scheme.js';
import { checkPolicy } from '../policy/check-policy.js';
import type { KeyspaceSpec, SpreadConstraint } from './records.js';

/** Checks all that can be checked without knowing the nodes. @throws CadastreError INVALID_ARGUMENT naming the field */
export const checkKeyspaceSpec = (spec: KeyspaceSpec): KeyspaceSpec => {
  checkName('name', spec.name);
  checkScheme(spec.scheme);
  checkSchemeBytes(spec.scheme);
  const { replicationFactor: rf, minInSync } = spec;
  if (!Number.isInteger(rf) || rf < 1 || rf > LIMITS.replicationFactorMax) {
    throw invalid(
      'replicationFactor',
      `${rf} is not a count of copies`,
      'use 3 to survive one loss without a gap',
      `1 to ${LIMITS.replicationFactorMax}`,
    );
  }
  if (!Number.isInteger(minInSync) || minInSync < 1 || minInSync > rf) {
    throw invalid(
      'minInSync',
      `${minInSync} with ${rf} copies`,
      'a write needs at least 1 and at most all copies; 2 of 3 is usual',
      `1 to ${rf}`,
    );
  }
  spec.spread.forEach(checkSpread);
  if (spec.policy) checkPolicy(spec.policy, partitionCount(spec.scheme));
  return spec;
};

/** The record is one value in the register, whose limit is 1.5 MiB with all else that a request carries. */
const SCHEME_BYTES_MAX = 1024 * 1024;

const checkSchemeBytes = (scheme: Scheme): void => {
  const bytes = schemeBytes(scheme);
  if (bytes > SCHEME_BYTES_MAX)
    throw invalid(
      'scheme',
      `${bytes} bytes of split points, tokens or entries`,
      'use equal ranges, fewer vnodes or fewer entries',
      `${SCHEME_BYTES_MAX} bytes`,
    );
};

/** About what its lists take on the wire. */
const schemeBytes = (scheme: Scheme): number => {
  const sum = (parts: readonly { readonly length: number }[]): number =>
    parts.reduce((total, part) => total + part.length + 4, 0);
  if (scheme.kind === 'range') return sum(scheme.splitPoints);
  if (scheme.kind === 'hash-range') return sum(scheme.splitPoints ?? []);
  if (scheme.kind === 'ring') return scheme.nodes.reduce((total, n) => total + n.node.length + sum(n.tokens), 0);
  if (scheme.kind !== 'directory') return 0;
  const entries = scheme.entries.map((e) => (e.match === 'key' ? e.key : e.match === 'prefix' ? e.prefix : e.label));
  return sum(entries) + 8 * entries.length + schemeBytes(scheme.fallback);
};

const checkSpread = (spread: SpreadConstraint, i: number, all: readonly SpreadConstraint[]): void => {
  if (!/^[a-z0-9]([a-z0-9./-]{0,125}[a-z0-9])?$/.test(spread.label)) {
    throw invalid(
      `spread[${i}].label`,
      `"${printable(spread.label)}" is no label name`,
      'use a label that the nodes carry, such as zone or rack',
    );
  }
  if (!Number.isInteger(spread.maxPerDomain) || spread.maxPerDomain < 1) {
    throw invalid(
      `spread[${i}].maxPerDomain`,
      `${spread.maxPerDomain} is not a count`,
      'use 1 to keep copies apart',
      'at least 1',
    );
  }
  // A limit that must hold and a tighter one that is better if it holds go together; two of a kind contradict each other.
  if (all.findIndex((s) => s.label === spread.label && s.hard === spread.hard) < i) {
    throw invalid(
      `spread[${i}].label`,
      `${spread.label} has a ${spread.hard ? 'hard' : 'soft'} limit already`,
      'give each label once',
    );
  }
};
