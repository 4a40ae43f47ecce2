import { Field } from '../fields.js';
import { invalid } from '../errors.js';
import type { Policy } from './policy.js';
import { policyJson } from './policy-json.js';
import { readPolicy } from './read-policy.js';

/**
 * All that can be checked without knowing the nodes, for a policy that did not come as JSON.
 * @throws CadastreError INVALID_ARGUMENT naming the path under `policy`
 */
export const checkPolicy = (policy: Policy, partitions: number, field = 'policy'): void => {
  readPolicy(new Field(policyJson(policy), field));
  const numbers = [
    ...(policy.pins ?? []).map((pin, i) => [`pins[${i}].partition`, pin.partition] as const),
    ...(policy.ranges ?? []).map((range, i) => [`ranges[${i}].last`, range.last] as const),
  ];
  const over = numbers.find(([, partition]) => partition >= partitions);
  if (over)
    throw invalid(
      `${field}.${over[0]}`,
      `${over[1]} is beyond the last partition`,
      'count partitions from 0',
      `0 to ${partitions - 1}`,
    );
};
