import { PRESET_NAMES, type PresetName, type PresetParams, presetScheme, invalid, type Scheme } from '@cadastre/core';

/** Flags that say which scheme is meant, as they stand on the command line. */
export interface SchemeFlags {
  readonly scheme?: string;
  readonly partitions?: string;
  readonly nodes?: string;
  readonly vnodes?: string;
  readonly seed?: string;
  readonly type?: string;
  readonly shards?: string;
  readonly splitPoints?: string;
}

/**
 * The scheme that the flags describe.
 * @throws CadastreError INVALID_ARGUMENT naming the flag, or the field of the scheme, that is wrong
 */
export const schemeOfFlags = (flags: SchemeFlags): Scheme => {
  const params: PresetParams = {
    ...(flags.partitions !== undefined && { partitions: wholeNumber('--partitions', flags.partitions) }),
    ...(flags.nodes !== undefined && { nodes: list('--nodes', flags.nodes) }),
    ...(flags.vnodes !== undefined && { vnodes: wholeNumber('--vnodes', flags.vnodes) }),
    ...(flags.seed !== undefined && { seed: flags.seed }),
    ...(flags.type !== undefined && { type: flags.type }),
    ...(flags.shards !== undefined && { shards: list('--shards', flags.shards) }),
    ...(flags.splitPoints !== undefined && {
      splitPoints: list('--split-points', flags.splitPoints).map((point) => Buffer.from(point)),
    }),
  };
  return presetScheme(presetNamed(flags.scheme ?? ''), params);
};

const presetNamed = (name: string): PresetName => {
  const found = PRESET_NAMES.find((preset) => preset === name);
  if (found === undefined)
    throw invalid(
      '--scheme',
      `"${name}" is no scheme`,
      `use one of ${PRESET_NAMES.join(', ')} (see cadastre scheme list)`,
    );
  return found;
};

/** A whole number in digits; the limits are the scheme's own matter. */
export const wholeNumber = (field: string, text: string): number => {
  if (!/^-?[0-9]{1,15}$/.test(text)) throw invalid(field, `"${text}" is not a count`, 'give a whole number in digits');
  return Number(text);
};

const list = (field: string, text: string): string[] => {
  const items = text.split(',');
  if (items.includes(''))
    throw invalid(field, `"${text}" has an empty entry`, 'give entries with commas between, as a,b,c');
  return items;
};
