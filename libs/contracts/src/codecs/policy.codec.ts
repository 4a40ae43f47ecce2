import type {
  BalanceRule,
  Copysets,
  LabelOp,
  LabelRule,
  PartitionSet,
  Policy,
  PolicyFields,
  RangePolicy,
  ResidencyRule,
  SpreadRule,
  TenantRule,
} from '@cadastre/core';
import { CadastreError, COPYSETS, LABEL_OPS } from '@cadastre/core';
import type * as Wire from '../generated/index.js';

const damaged = (field: string, what: string): CadastreError =>
  new CadastreError('INVALID_ARGUMENT', `${field}: ${what}`, {
    field,
    remedy: 'correct the policy; if it comes from a newer version, upgrade this side',
  });

const encodeRule = (rule: LabelRule): Wire.LabelRule => ({
  label: rule.label,
  op: rule.op,
  values: [...(rule.values ?? [])],
});

const decodeRule = (wire: Wire.LabelRule__Output): LabelRule => {
  const op = LABEL_OPS.find((each) => each === wire.op) as LabelOp | undefined;
  if (op === undefined) throw damaged('policy.op', `"${wire.op}" is unknown`);
  return op === 'in' || op === 'notIn' ? { label: wire.label, op, values: wire.values } : { label: wire.label, op };
};

const encodeRules = (rules: readonly LabelRule[]): Wire.LabelRules => ({ rules: rules.map(encodeRule) });
const decodeRules = (wire: Wire.LabelRules__Output): LabelRule[] => wire.rules.map(decodeRule);

const encodeSpread = (rule: SpreadRule): Wire.SpreadRule => ({
  label: rule.label,
  hard: rule.hard,
  maxPerDomain: rule.maxPerDomain ?? 0,
  minPerDomain: { ...rule.minPerDomain },
});

const decodeSpread = (wire: Wire.SpreadRule__Output): SpreadRule => ({
  label: wire.label,
  hard: wire.hard,
  ...(wire.maxPerDomain > 0 && { maxPerDomain: wire.maxPerDomain }),
  ...(Object.keys(wire.minPerDomain).length > 0 && { minPerDomain: { ...wire.minPerDomain } }),
});

const encodeSet = (set: PartitionSet): Wire.PartitionSet => {
  switch (set.kind) {
    case 'all':
      return { all: true };
    case 'range':
      return { range: { first: set.first, last: set.last } };
    case 'keys':
      return { keys: { start: Buffer.from(set.start), end: Buffer.from(set.end ?? []) } };
    case 'entry':
      return { entry: set.label };
  }
};

/** By the field that is there, so that it reads what was just put together as well as what came over the wire. */
const decodeSet = (wire: Wire.PartitionSet__Output | null | undefined): PartitionSet => {
  if (wire?.range) return { kind: 'range', first: wire.range.first, last: wire.range.last };
  if (wire?.keys) {
    const { start, end } = wire.keys;
    return { kind: 'keys', start: new Uint8Array(start), ...(end.length > 0 && { end: new Uint8Array(end) }) };
  }
  if (wire?.all) return { kind: 'all' };
  if (typeof wire?.entry === 'string') return { kind: 'entry', label: wire.entry };
  throw damaged('policy.partitions', 'names no set of partitions');
};

const encodeBalance = (balance: BalanceRule): Wire.BalanceRule => ({
  dimensions: balance.dimensions ? { names: [...balance.dimensions] } : null,
  tolerance: balance.tolerance === undefined ? null : { fraction: balance.tolerance },
});

const decodeBalance = (wire: Wire.BalanceRule__Output): BalanceRule => ({
  ...(wire.dimensions && { dimensions: wire.dimensions.names }),
  ...(wire.tolerance && { tolerance: wire.tolerance.fraction }),
});

const encodeFields = (fields: PolicyFields): Wire.PolicyFields => ({
  replicationFactor: fields.replicationFactor ?? 0,
  minInSync: fields.minInSync ?? 0,
  spread: (fields.spread ?? []).map(encodeSpread),
  required: fields.required ? encodeRules(fields.required) : null,
  forbidden: fields.forbidden ? encodeRules(fields.forbidden) : null,
  leaderPreferences: fields.leaderPreferences ? { lists: fields.leaderPreferences.map(encodeRules) } : null,
  watermarks: Object.fromEntries(Object.entries(fields.watermarks ?? {}).map(([k, w]) => [k, { ...w }])),
  balance: fields.balance ? encodeBalance(fields.balance) : null,
  copysets: fields.copysets ?? '',
});

const decodeCopysets = (text: string): Copysets => {
  const found = COPYSETS.find((each) => each === text);
  if (found === undefined) throw damaged('policy.copysets', `"${text}" is unknown`);
  return found;
};

const decodeFields = (wire: Wire.PolicyFields__Output | null | undefined): PolicyFields => {
  if (!wire) return {};
  const marks = Object.entries(wire.watermarks);
  return {
    ...(wire.replicationFactor > 0 && { replicationFactor: wire.replicationFactor }),
    ...(wire.minInSync > 0 && { minInSync: wire.minInSync }),
    ...(wire.spread.length > 0 && { spread: wire.spread.map(decodeSpread) }),
    ...(wire.required && { required: decodeRules(wire.required) }),
    ...(wire.forbidden && { forbidden: decodeRules(wire.forbidden) }),
    ...(wire.leaderPreferences && { leaderPreferences: wire.leaderPreferences.lists.map(decodeRules) }),
    ...(marks.length > 0 && {
      watermarks: Object.fromEntries(marks.map(([k, w]) => [k, { low: w.low, high: w.high }])),
    }),
    ...(wire.balance && { balance: decodeBalance(wire.balance) }),
    ...(wire.copysets !== '' && { copysets: decodeCopysets(wire.copysets) }),
  };
};

const decodeResidency = (wire: Wire.ResidencyRule__Output): ResidencyRule => ({
  partitions: decodeSet(wire.partitions),
  nodes: wire.nodes.map(decodeRule),
});

const encodeTenant = (t: TenantRule): Wire.TenantRule => ({
  tenant: t.tenant,
  partitions: encodeSet(t.partitions),
  dedicated: t.dedicated ? encodeRules(t.dedicated) : null,
  apartFrom: [...(t.apartFrom ?? [])],
});

const decodeTenant = (wire: Wire.TenantRule__Output): TenantRule => ({
  tenant: wire.tenant,
  partitions: decodeSet(wire.partitions),
  ...(wire.dedicated && { dedicated: decodeRules(wire.dedicated) }),
  ...(wire.apartFrom.length > 0 && { apartFrom: wire.apartFrom }),
});

const decodeRange = (wire: Wire.RangePolicy__Output): RangePolicy => ({
  ...decodeFields(wire.fields),
  first: wire.first,
  last: wire.last,
});

export const encodePolicy = (policy: Policy): Wire.Policy => ({
  fields: encodeFields(policy),
  residency: (policy.residency ?? []).map((r) => ({
    partitions: encodeSet(r.partitions),
    nodes: r.nodes.map(encodeRule),
  })),
  tenants: (policy.tenants ?? []).map(encodeTenant),
  pins: (policy.pins ?? []).map((p) => ({ ...p })),
  ranges: (policy.ranges ?? []).map((r) => ({ fields: encodeFields(r), first: r.first, last: r.last })),
});

/** Lists that are empty on the wire are not said. @throws CadastreError INVALID_ARGUMENT naming what is unknown */
export const decodePolicy = (wire: Wire.Policy__Output): Policy => ({
  ...decodeFields(wire.fields),
  ...(wire.residency.length > 0 && { residency: wire.residency.map(decodeResidency) }),
  ...(wire.tenants.length > 0 && { tenants: wire.tenants.map(decodeTenant) }),
  ...(wire.pins.length > 0 && { pins: wire.pins.map((p) => ({ ...p })) }),
  ...(wire.ranges.length > 0 && { ranges: wire.ranges.map(decodeRange) }),
});
