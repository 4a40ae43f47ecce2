import { CadastreError, checkName, invalid } from '@cadastre/core';
import type { AgentEntry } from '../cluster-file.js';

/** Where each agent of a local cluster stands. Rack names are unique in the cluster: r1, r2 in zone a, r3, r4 in zone b, ... */
export interface Topology {
  readonly zones: number;
  readonly racksPerZone: number;
}

export type Place = Pick<AgentEntry, 'id' | 'zone' | 'rack'>;

const zoneName = (index: number): string => (index < 26 ? String.fromCharCode(97 + index) : `z${index + 1}`);

/** The emptiest zone, then its emptiest rack, unless told otherwise. @throws CadastreError when the id is taken or no name */
export const placeFor = (
  existing: readonly Place[],
  topology: Topology,
  wish: { id?: string; zone?: string; rack?: string },
): Place => {
  const id = wish.id ?? nextId(existing);
  for (const [field, value] of Object.entries({ id, ...wish })) checkName(field, value);
  if (existing.some((place) => place.id === id))
    throw new CadastreError('ALREADY_EXISTS', `id: there is an agent ${id} already`, {
      field: 'id',
      remedy: 'choose another id, or none',
    });
  const zone =
    wish.zone ??
    emptiest(
      Array.from({ length: topology.zones }, (_, i) => zoneName(i)),
      existing.map((p) => p.zone),
    );
  const rack =
    wish.rack ??
    emptiest(
      racksOf(zone, topology),
      existing.map((p) => p.rack),
    );
  return { id, zone, rack };
};

const racksOf = (zone: string, { zones, racksPerZone }: Topology): string[] => {
  const index = Array.from({ length: zones }, (_, i) => zoneName(i)).indexOf(zone);
  if (index < 0) return [`${zone}-r1`];
  return Array.from({ length: racksPerZone }, (_, i) => `r${index * racksPerZone + i + 1}`);
};

const emptiest = (names: readonly string[], used: readonly string[]): string => {
  const load = (name: string) => used.filter((u) => u === name).length;
  return names.reduce((least, name) => (load(name) < load(least) ? name : least), names[0]!);
};

const nextId = (existing: readonly Place[]): string => {
  const numbers = existing.map(({ id }) => Number(/^n(\d+)$/.exec(id)?.[1] ?? 0));
  return `n${Math.max(0, ...numbers) + 1}`;
};

export const checkCount = (field: string, text: string | number, least: number, most: number): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw invalid(field, `"${text}" is not a count`, 'give a whole number', `${least} to ${most}`);
  return value;
};
