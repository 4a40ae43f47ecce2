import { expect, it } from '@jest/globals';
import type { z } from 'zod';
import * as rest from '../../apps/control-plane/src/rest/schemas.js';
import type * as page from '../../apps/dashboard/src/model/api.types.js';

/**
 * The page has its own words for what REST gives, only as much as it shows. That each of them is in what REST promises is checked by the
 * compiler: a field that the page reads and REST does not give, or gives otherwise, is an error here.
 */
type Given<S> = S extends z.ZodType ? Stated<z.output<S>> : never;
/** JSON has no undefined: what is optional is there or is not. */
type Stated<T> = T extends readonly (infer E)[]
  ? readonly Stated<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Stated<Exclude<T[K], undefined>> }
    : T;
type Wrong<G, P> = {
  [K in keyof P]-?: K extends keyof G ? (G[K] extends P[K] ? never : [K, G[K]]) : undefined extends P[K] ? never : K;
}[keyof P];
type Fits<S, P> = Given<S> extends P ? true : { readonly wrong: Wrong<Given<S>, P> };

const fits: {
  readonly Keyspace: Fits<typeof rest.Keyspace, page.Keyspace>;
  readonly PartitionPage: Fits<typeof rest.PartitionPage, page.PartitionPage>;
  readonly Node: Fits<typeof rest.Node, page.Node>;
  readonly Plan: Fits<typeof rest.Plan, page.Plan>;
  readonly Status: Fits<typeof rest.Status, page.Status>;
  readonly World: Fits<typeof rest.StateEvent, page.World>;
  readonly Heat: Fits<typeof rest.Heat, page.Heat>;
  readonly Settings: Fits<typeof rest.Settings, page.Settings>;
  readonly Why: Fits<typeof rest.Why, page.Why>;
  readonly Located: Fits<typeof rest.Located, page.Located>;
  readonly Drain: Fits<typeof rest.Drain, page.Drain>;
  readonly Report: Fits<typeof rest.Report, page.Report>;
  readonly AuditPage: Fits<typeof rest.AuditPage, page.AuditPage>;
  readonly AuditVerdict: Fits<typeof rest.AuditVerdict, page.AuditVerdict>;
} = {
  Keyspace: true,
  PartitionPage: true,
  Node: true,
  Plan: true,
  Status: true,
  World: true,
  Heat: true,
  Settings: true,
  Why: true,
  Located: true,
  Drain: true,
  Report: true,
  AuditPage: true,
  AuditVerdict: true,
};

it('names a REST schema for each of the types that the page reads', () => {
  // Plan: what the compiler compared are schemas that exist when the program runs.
  for (const name of Object.keys(fits).filter((each) => each !== 'World')) expect(rest).toHaveProperty(name);
});
