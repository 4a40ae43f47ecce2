import { policyJson as jsonOf } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodePolicy } from '@cadastre/contracts';
import type { z } from 'zod';
import type * as schemas from './schemas.js';

/** What planning says and policies, as JSON for people. */
type Json<Schema extends z.ZodType> = z.output<Schema>;
type Count = number | string | { toString(): string } | null | undefined;

const number = (value: Count): number => Number(value ?? 0);
const text = (value: string | undefined): string => value ?? '';

/** Values that were put together here have all their fields, as those from a message do. */
export const policyOf = (wire: Wire.Policy): Json<typeof schemas.Policy> => ({
  ...jsonOf(decodePolicy(wire as Wire.Policy__Output)),
});

export const policyReplyJson = (wire: Wire.PolicyReply): Json<typeof schemas.PolicyReply> => ({
  keyspace: text(wire.keyspace),
  policy: wire.policy ? policyOf(wire.policy) : {},
  replicationFactor: number(wire.replicationFactor),
  minInSync: number(wire.minInSync),
  spread: (wire.spread ?? []).map((s) => ({
    label: text(s.label),
    maxPerDomain: number(s.maxPerDomain),
    hard: s.hard ?? false,
  })),
  version: text(wire.version),
});

export const scoreJson = (wire: Wire.PlanScore): Json<typeof schemas.Score> => ({
  name: text(wire.name),
  before: number(wire.before),
  after: number(wire.after),
});

export const rehearsalJson = (wire: Wire.Rehearsal): Json<typeof schemas.Rehearsal> => ({
  before: pointJson(wire.before),
  during: (wire.during ?? []).map(pointJson),
  after: pointJson(wire.after),
  steps: number(wire.steps),
  verdict: text(wire.verdict) as Json<typeof schemas.Rehearsal>['verdict'],
  raisedOnTheWay: wire.raisedOnTheWay ?? false,
  summary: text(wire.summary),
});

const pointJson = (wire: Wire.RehearsalPoint | null | undefined): Json<typeof schemas.RehearsalPoint> => ({
  step: number(wire?.step),
  unavailable: number(wire?.unavailable),
  dataLoss: number(wire?.dataLoss),
  risks: (wire?.risks ?? []).map((r) => ({
    label: text(r.label),
    unavailable: { domain: text(r.unavailableDomain), partitions: number(r.unavailable) },
    dataLoss: { domain: text(r.dataLossDomain), partitions: number(r.dataLoss) },
    domainsUnavailable: number(r.domainsUnavailable),
    domainsDataLoss: number(r.domainsDataLoss),
  })),
});

type WhyJson = Json<typeof schemas.Why>;

export const whyJson = (wire: Wire.WhyReply): WhyJson => ({
  keyspace: text(wire.keyspace),
  partition: number(wire.partition),
  node: text(wire.node),
  role: text(wire.role) as WhyJson['role'],
  verdict: text(wire.verdict) as WhyJson['verdict'],
  rule: text(wire.rule),
  value: text(wire.value),
  limit: text(wire.limit),
  because: text(wire.because),
  checks: (wire.checks ?? []).map((c) => ({
    rule: text(c.rule),
    verdict: text(c.verdict) as WhyJson['checks'][number]['verdict'],
    value: text(c.value),
    limit: text(c.limit),
    text: text(c.text),
  })),
});
