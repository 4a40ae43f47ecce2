import type { PlanLimits, PlanOptions, Throttle } from '@cadastre/core';
import { DEFAULT_PLAN_LIMITS, DEFAULT_THROTTLE, invalid } from '@cadastre/core';

export interface PlanFlags {
  readonly limits?: string[];
  readonly dimensions?: string[];
  readonly tolerance?: string;
  readonly minGain?: string;
}

const LIMITS = ['perNodeIn', 'perNodeOut', 'perRack', 'perZone', 'cluster', 'bytesPerSecond'] as const;
type Limit = (typeof LIMITS)[number];

/**
 * `--limits perNodeIn=2,cluster=8,bytesPerSecond=1e8`, one or several.
 * @throws CadastreError INVALID_ARGUMENT naming --limits and the part that cannot be read
 */
export const limitsOf = (texts: readonly string[]): { limits: PlanLimits; throttle: Throttle } => {
  const given = new Map(texts.filter((text) => text !== '').map(limitOf));
  const bytesPerSecondPerNode = given.get('bytesPerSecond') ?? DEFAULT_THROTTLE.bytesPerSecondPerNode;
  given.delete('bytesPerSecond');
  return {
    limits: { ...DEFAULT_PLAN_LIMITS, ...Object.fromEntries(given) },
    throttle: { ...DEFAULT_THROTTLE, bytesPerSecondPerNode },
  };
};

const limitOf = (text: string): [Limit, number] => {
  const [name, value, ...rest] = text.split('=');
  const known = LIMITS.find((each) => each === name);
  if (known === undefined || value === undefined || rest.length > 0)
    throw invalid('--limits', `"${text}" cannot be read`, `give name=count with one of ${LIMITS.join(', ')}`);
  const count = Number(value);
  if (value === '' || !Number.isInteger(count) || count < 1)
    throw invalid('--limits', `${known}: "${value}" is no limit`, 'give a whole number', 'at least 1');
  return [known, count];
};

const fraction = (flag: string, text: string): number => {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 1))
    throw invalid(flag, `"${text}" is no share`, 'give 0.05 for 5 %', '0 to 1');
  return value;
};

export const planOptionsOf = (flags: PlanFlags, limits: PlanLimits): PlanOptions => ({
  limits,
  ...(flags.dimensions && { dimensions: flags.dimensions }),
  ...(flags.tolerance !== undefined && { tolerance: fraction('--tolerance', flags.tolerance) }),
  ...(flags.minGain !== undefined && { minGain: fraction('--min-gain', flags.minGain) }),
});
