import type { Field } from '../fields.js';
import { LIMITS } from '../limits.js';
import { bytesOf } from './key-bytes.js';
import type {
  BalanceRule,
  LabelRule,
  PartitionSet,
  Pin,
  Policy,
  PolicyFields,
  RangePolicy,
  ResidencyRule,
  SpreadRule,
  TenantRule,
  Watermarks,
} from './policy.js';
import { COPYSETS, LABEL_OPS } from './policy.js';

/**
 * A policy as JSON: the fields of `Policy` by their names; keys are text, or hexadecimal in `startHex` and `endHex`. Checks all that
 * can be checked without knowing the nodes.
 * @throws CadastreError INVALID_ARGUMENT naming the path
 */
export const readPolicy = (field: Field): Policy => {
  field.object([...SHARED, 'residency', 'tenants', 'pins', 'ranges']);
  return {
    ...readFields(field),
    ...some(field.at('residency'), (f) => ({ residency: f.list(RULES_MAX).map(readResidency) })),
    ...some(field.at('tenants'), (f) => ({ tenants: f.list(RULES_MAX).map(readTenant) })),
    ...some(field.at('pins'), (f) => ({ pins: f.list(RULES_MAX).map(readPin) })),
    ...some(field.at('ranges'), (f) => ({ ranges: f.list(RULES_MAX).map(readRange) })),
  };
};

const RULES_MAX = 10_000;
const VALUES_MAX = 1_000;
const SHARED = [
  'replicationFactor',
  'minInSync',
  'spread',
  'required',
  'forbidden',
  'leaderPreferences',
  'watermarks',
  'balance',
  'copysets',
];

/** What a field says, where it is there. */
const some = <T extends object>(field: Field, read: (field: Field) => T): T | undefined =>
  field.isThere ? read(field) : undefined;

const readFields = (field: Field): PolicyFields => {
  const fields = {
    ...some(field.at('replicationFactor'), (f) => ({ replicationFactor: f.count(1, LIMITS.replicationFactorMax) })),
    ...some(field.at('minInSync'), (f) => ({ minInSync: f.count(1, LIMITS.replicationFactorMax) })),
    ...some(field.at('spread'), (f) => ({ spread: readSpread(f) })),
    ...some(field.at('required'), (f) => ({ required: readRules(f) })),
    ...some(field.at('forbidden'), (f) => ({ forbidden: readRules(f) })),
    ...some(field.at('leaderPreferences'), (f) => ({ leaderPreferences: f.list(VALUES_MAX).map(readRules) })),
    ...some(field.at('watermarks'), (f) => ({
      watermarks: Object.fromEntries(f.entries().map(([name, w]) => [name, readWatermarks(w)])),
    })),
    ...some(field.at('balance'), (f) => ({ balance: readBalance(f) })),
    ...some(field.at('copysets'), (f) => ({ copysets: f.oneOf(COPYSETS) })),
  };
  const { replicationFactor: rf, minInSync } = fields;
  if (rf !== undefined && minInSync !== undefined && minInSync > rf)
    throw field
      .at('minInSync')
      .bad(`${minInSync} with ${rf} copies`, 'ask for no more than there are copies', `1 to ${rf}`);
  return fields;
};

const LABEL = /^[a-z0-9]([a-z0-9./-]{0,125}[a-z0-9])?$/;

const readLabel = (field: Field): string => {
  const label = field.text(127);
  if (!LABEL.test(label))
    throw field.bad(`"${label}" is no label name`, 'use a label that the nodes carry, such as zone or rack');
  return label;
};

const readSpread = (field: Field): SpreadRule[] => {
  const fields = field.list(VALUES_MAX);
  const rules = fields.map(readSpreadRule);
  rules.forEach((rule, i) => {
    if (rules.findIndex((r) => r.label === rule.label && r.hard === rule.hard) === i) return;
    const kind = rule.hard ? 'hard' : 'soft';
    throw fields[i]!.at('label').bad(`${rule.label} has a ${kind} rule already`, 'give each label once');
  });
  return rules;
};

const readSpreadRule = (field: Field): SpreadRule => {
  field.object(['label', 'hard', 'maxPerDomain', 'minPerDomain']);
  const rule = {
    label: readLabel(field.at('label')),
    hard: field.at('hard').isThere ? field.at('hard').flag() : true,
    ...some(field.at('maxPerDomain'), (f) => ({ maxPerDomain: f.count(1, LIMITS.replicationFactorMax) })),
    ...some(field.at('minPerDomain'), (f) => ({
      minPerDomain: Object.fromEntries(f.entries().map(([name, n]) => [name, n.count(0, LIMITS.replicationFactorMax)])),
    })),
  };
  if (rule.maxPerDomain === undefined && rule.minPerDomain === undefined)
    throw field.bad('says neither how many at most nor at least', 'give maxPerDomain, or minPerDomain by name');
  const most = rule.maxPerDomain ?? Infinity;
  const over = Object.entries(rule.minPerDomain ?? {}).find(([, least]) => least > most);
  if (over)
    throw field
      .at('minPerDomain')
      .at(over[0])
      .bad(`${over[1]} contradicts maxPerDomain ${most}`, 'ask for at most as many as are allowed', `0 to ${most}`);
  return rule;
};

const readRules = (field: Field): LabelRule[] => field.list(VALUES_MAX).map(readRule);

const readRule = (field: Field): LabelRule => {
  field.object(['label', 'op', 'values']);
  const rule = { label: readLabel(field.at('label')), op: field.at('op').oneOf(LABEL_OPS) };
  const values = field.at('values');
  if (rule.op === 'exists' || rule.op === 'notExists') {
    if (values.isThere && values.list().length > 0)
      throw values.bad(`mean nothing with ${rule.op}`, 'leave them out, or use in or notIn');
    return rule;
  }
  const read = values.list(VALUES_MAX).map((f) => f.text());
  if (read.length === 0) throw values.bad('are missing', `name at least one value for ${rule.op}`);
  return { ...rule, values: read };
};

const readWatermarks = (field: Field): Watermarks => {
  field.object(['low', 'high']);
  const high = field.at('high').within(0, 1);
  return { low: field.at('low').within(0, high), high };
};

const readBalance = (field: Field): BalanceRule => {
  field.object(['dimensions', 'tolerance']);
  return {
    ...some(field.at('dimensions'), (f) => ({ dimensions: f.list(16).map((d) => d.text(63)) })),
    ...some(field.at('tolerance'), (f) => ({ tolerance: f.within(0, 1) })),
  };
};

const readResidency = (field: Field): ResidencyRule => {
  field.object(['partitions', 'nodes']);
  return { partitions: readSet(field.at('partitions')), nodes: readRules(field.at('nodes')) };
};

const readTenant = (field: Field): TenantRule => {
  field.object(['tenant', 'partitions', 'dedicated', 'apartFrom']);
  return {
    tenant: field.at('tenant').text(),
    partitions: readSet(field.at('partitions')),
    ...some(field.at('dedicated'), (f) => ({ dedicated: readRules(f) })),
    ...some(field.at('apartFrom'), (f) => ({ apartFrom: f.list(VALUES_MAX).map((t) => t.text()) })),
  };
};

const readPin = (field: Field): Pin => {
  field.object(['partition', 'node', 'owner', 'reason', 'expiresMs']);
  return {
    partition: readPartition(field.at('partition')),
    node: field.at('node').text(),
    owner: field.at('owner').text(),
    reason: field.at('reason').text(LIMITS.reasonCharsMax),
    expiresMs: field.at('expiresMs').isThere ? field.at('expiresMs').count(0, Number.MAX_SAFE_INTEGER) : 0,
  };
};

const readRange = (field: Field): RangePolicy => {
  field.object([...SHARED, 'first', 'last']);
  return { ...readFields(field), ...readEnds(field) };
};

const readEnds = (field: Field): { first: number; last: number } => {
  const first = readPartition(field.at('first'));
  return { first, last: field.at('last').count(first, LIMITS.partitionsMax - 1) };
};

const readPartition = (field: Field): number => field.count(0, LIMITS.partitionsMax - 1);

const SET_KINDS = ['all', 'range', 'keys', 'entry'] as const;

const readSet = (field: Field): PartitionSet => {
  const kind = field
    .object(['kind', 'first', 'last', 'start', 'startHex', 'end', 'endHex', 'label'])
    .at('kind')
    .oneOf(SET_KINDS);
  switch (kind) {
    case 'all':
      return { kind };
    case 'range':
      return { kind, ...readEnds(field) };
    case 'entry':
      return { kind, label: field.at('label').text() };
    case 'keys': {
      const end = readKey(field, 'end');
      return { kind, start: readKey(field, 'start') ?? new Uint8Array(), ...(end && { end }) };
    }
  }
};

const readKey = (field: Field, name: 'start' | 'end'): Uint8Array | undefined => {
  const hex = field.at(`${name}Hex`);
  if (hex.isThere) return bytesOf(hex);
  const text = field.at(name);
  return text.isThere ? new TextEncoder().encode(text.text(LIMITS.keyBytesMax)) : undefined;
};
