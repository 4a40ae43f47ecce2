import type { Wire } from '@cadastre/contracts';
import { CadastreError, invalid, printable } from '@cadastre/core';
import type { Register, RegisterState, Settings } from '@cadastre/store';
import { REPAIR_MODES, settingsOf, settingsPart } from '@cadastre/store';
import { requireActor } from './actor.js';
import type { Act } from './ports.js';
import { requireVersion, versionOf } from './versions.js';

/** What is given is set, the rest stays. */
export type SettingsChange = { readonly [Field in keyof Settings]?: Settings[Field] | string };

const MONTH_MS = 31 * 24 * 60 * 60 * 1000;
/** A limit below this would let a copy fall behind the log for good. */
const RATE_MIN = 64 * 1024;

const RULES: Record<Exclude<keyof Settings, 'repair'>, (value: number) => string | undefined> = {
  repairGraceMs: (v) => (v > MONTH_MS ? `0 to ${MONTH_MS} ms` : undefined),
  quarantineMs: (v) => (v > MONTH_MS ? `0 to ${MONTH_MS} ms` : undefined),
  nodeBytesPerSecond: (v) => (v > 0 && v < RATE_MIN ? `0 for none, or at least ${RATE_MIN} bytes/s` : undefined),
  clusterBytesPerSecond: (v) => (v > 0 && v < RATE_MIN ? `0 for none, or at least ${RATE_MIN} bytes/s` : undefined),
};

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const decideSettings = (before: Settings, change: SettingsChange): Settings => {
  const after: Record<string, unknown> = { ...before };
  for (const [field, value] of Object.entries(change)) {
    if (value === undefined) continue;
    if (field === 'repair') {
      if (!REPAIR_MODES.some((mode) => mode === value))
        throw invalid('repair', `"${printable(String(value))}" is unknown`, `use one of ${REPAIR_MODES.join(', ')}`);
    } else {
      const rule = RULES[field as keyof typeof RULES];
      if (!Number.isSafeInteger(value) || (value as number) < 0)
        throw invalid(field, `${String(value)} is no amount`, 'give a whole number', '0 or more');
      const limit = rule(value as number);
      if (limit) throw invalid(field, `${String(value)} is out of range`, 'choose another amount', limit);
    }
    after[field] = value;
  }
  return after as unknown as Settings;
};

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const changeSettings = async (register: Register, change: SettingsChange, act: Act): Promise<Wire.Settings> => {
  const actor = requireActor(act);
  if (Object.values(change).every((value) => value === undefined))
    throw new CadastreError('INVALID_ARGUMENT', 'settings: nothing is to be changed', {
      field: 'settings',
      remedy: 'give at least one of them',
    });
  await register.commit((state) => {
    const before = settingsOf(state);
    requireVersion('settings', before, act.expected);
    const after = decideSettings(before, change);
    return {
      ...settingsPart(state, after),
      result: undefined,
      audit: {
        actor,
        verb: 'change-settings',
        subject: 'settings',
        reason: act.reason ?? '',
        before: describe(before),
        after: describe(after),
      },
    };
  });
  return settingsView(register.state);
};

export const settingsView = (state: RegisterState): Wire.Settings => ({
  ...settingsOf(state),
  version: versionOf(settingsOf(state)),
});

const describe = (settings: Settings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
