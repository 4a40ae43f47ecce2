import { parseArgs } from 'node:util';
import { CadastreError } from '@cadastre/core';
import type { z } from 'zod';

export interface FlagSpec {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
}

export interface ReadConfigOptions<Schema extends z.ZodType> {
  /** Flag names in kebab-case; the config's fields have the same names in camelCase. */
  readonly flags: Readonly<Record<string, FlagSpec>>;
  readonly schema: Schema;
  /** `CADASTRE_AGENT` reads `--data` from CADASTRE_AGENT_DATA. A flag wins over the environment. Lists are separated by commas. */
  readonly envPrefix: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const camel = (flag: string): string => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
const kebab = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * Flags over environment, checked by a zod schema.
 * @throws CadastreError INVALID_ARGUMENT with one line that names the flag: unknown, malformed, missing or contradictory
 */
export const readConfig = <Schema extends z.ZodType>(options: ReadConfigOptions<Schema>): z.output<Schema> => {
  const raw = { ...fromEnv(options), ...fromArgv(options) };
  const parsed = options.schema.safeParse(raw);
  if (parsed.success) return parsed.data as z.output<Schema>;
  const issue = parsed.error.issues[0]!;
  const flag = `--${kebab(String(issue.path[0] ?? 'config'))}`;
  const missing = issue.path.length === 1 && raw[String(issue.path[0])] === undefined && issue.code === 'invalid_type';
  throw new CadastreError('INVALID_ARGUMENT', `${flag}: ${missing ? 'is missing' : issue.message}`, {
    field: flag,
    remedy: `give ${flag} or set ${options.envPrefix}_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`,
  });
};

const fromArgv = ({ flags, argv }: Pick<ReadConfigOptions<z.ZodType>, 'flags' | 'argv'>): Record<string, unknown> => {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: flags as Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>,
      strict: true,
      allowPositionals: false,
    });
    return Object.fromEntries(Object.entries(values).map(([flag, value]) => [camel(flag), value]));
  } catch (error) {
    const message = (error as Error).message.split('. ')[0]!.replaceAll('\n', ' ');
    throw new CadastreError('INVALID_ARGUMENT', message, {
      field: 'flags',
      remedy: `known flags: ${Object.keys(flags)
        .map((f) => `--${f}`)
        .join(' ')}`,
    });
  }
};

const fromEnv = ({
  flags,
  env,
  envPrefix,
}: Pick<ReadConfigOptions<z.ZodType>, 'flags' | 'env' | 'envPrefix'>): Record<string, unknown> => {
  const result: Record<string, unknown> = {};
  for (const [flag, spec] of Object.entries(flags)) {
    const value = env[`${envPrefix}_${flag.replaceAll('-', '_').toUpperCase()}`];
    if (value === undefined || value === '') continue;
    result[camel(flag)] =
      spec.type === 'boolean'
        ? value === 'true' || value === '1'
        : spec.multiple
          ? value.split(',').map((v) => v.trim())
          : value;
  }
  return result;
};
