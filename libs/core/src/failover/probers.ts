import { compareStrings } from '../bytes.js';

/** The controller itself, as one of those who look. */
export const SELF = '';

export interface ProberSight {
  readonly id: string;
  readonly zone: string;
}

/** A node as the register has it. */
export interface NodeSight extends ProberSight {
  /** Names its session; undefined while it has none. */
  readonly session: string | undefined;
  /** It ended its session of its own accord. */
  readonly departed: boolean;
}

export interface NodeDoubt {
  readonly node: string;
  readonly why: string;
}

/** Up to `count` of those who may be asked, of as many zones as there are, others in each round. */
export const chooseProbers = (
  target: ProberSight,
  fit: readonly ProberSight[],
  count: number,
  round: number,
): string[] => {
  const byZone = new Map<string, string[]>();
  for (const { id, zone } of [...fit].sort((a, b) => compareStrings(a.id, b.id)))
    byZone.set(zone, [...(byZone.get(zone) ?? []), id]);
  // The target's own zone last: what it shares with the target may be what broke.
  const zones = [...byZone.keys()].sort(
    (a, b) => Number(a === target.zone) - Number(b === target.zone) || compareStrings(a, b),
  );
  const chosen: string[] = [];
  for (let turn = 0; chosen.length < Math.min(count, fit.length); turn += 1) {
    for (const zone of zones) {
      const ids = byZone.get(zone)!;
      if (turn < ids.length && chosen.length < count) chosen.push(ids[(turn + round) % ids.length]!);
    }
  }
  return chosen;
};
