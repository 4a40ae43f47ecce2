import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CadastreError } from '@cadastre/core';
import type { z } from 'zod';

export interface FlagSpec {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  /** What stands after the flag in `--help`, as `HOST:PORT`. */
  readonly value?: string;
  /** One line of plain text for `--help` and docs/configuration.md. */
  readonly help: string;
}

/** What one program can be told: the source of its checks, its `--help` and its chapter of docs/configuration.md. */
export interface AppSettings<Schema extends z.ZodType = z.ZodType> {
  /** As people start it. */
  readonly program: string;
  /** Flag names in kebab-case; the config's fields have the same names in camelCase. */
  readonly flags: Readonly<Record<string, FlagSpec>>;
  readonly schema: Schema;
  /** `CADASTRE_AGENT` reads `--data` from CADASTRE_AGENT_DATA. Lists are separated by commas. */
  readonly envPrefix: string;
}

export interface ReadConfigOptions<Schema extends z.ZodType> extends AppSettings<Schema> {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Names a file of settings; every program has it. */
export const CONFIG_FLAG: FlagSpec = {
  type: 'string',
  value: 'FILE',
  help: 'JSON object of settings by flag name, each a string, number, boolean or list',
};

type Raw = Record<string, unknown>;

export const camel = (flag: string): string => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
const kebab = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The variable that stands for a flag. */
export const variableOf = (envPrefix: string, flag: string): string =>
  `${envPrefix}_${flag.replaceAll('-', '_').toUpperCase()}`;

/**
 * Flags over environment over the file that `--config` names, checked by a zod schema.
 * @throws CadastreError INVALID_ARGUMENT with one line that names the flag: unknown, malformed, missing or contradictory
 */
export const readConfig = <Schema extends z.ZodType>(options: ReadConfigOptions<Schema>): z.output<Schema> => {
  const { config, ...given } = { ...fromEnv(options), ...fromArgv(options) };
  const raw: Raw = { ...(config === undefined ? {} : fromFile(String(config), options.flags)), ...given };
  const parsed = options.schema.safeParse(raw);
  if (parsed.success) return parsed.data as z.output<Schema>;
  const issue = parsed.error.issues[0]!;
  const flag = `--${kebab(String(issue.path[0] ?? 'config'))}`;
  const missing = issue.path.length === 1 && raw[String(issue.path[0])] === undefined && issue.code === 'invalid_type';
  throw new CadastreError('INVALID_ARGUMENT', `${flag}: ${missing ? 'is missing' : issue.message}`, {
    field: flag,
    remedy: `give ${flag} or set ${variableOf(options.envPrefix, flag.slice(2))}`,
  });
};

const fromArgv = ({ flags, argv }: Pick<ReadConfigOptions<z.ZodType>, 'flags' | 'argv'>): Raw => {
  const options = Object.fromEntries(
    Object.entries({ ...flags, config: CONFIG_FLAG }).map(([flag, { type, multiple = false }]) => [
      flag,
      { type, multiple },
    ]),
  );
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false });
    return Object.fromEntries(Object.entries(values).map(([flag, value]) => [camel(flag), value]));
  } catch (error) {
    const message = (error as Error).message.split('. ')[0]!.replaceAll('\n', ' ');
    throw new CadastreError('INVALID_ARGUMENT', message, {
      field: 'flags',
      remedy: `known flags: ${Object.keys(options)
        .map((f) => `--${f}`)
        .join(' ')}`,
    });
  }
};

const fromEnv = ({ flags, env, envPrefix }: Pick<ReadConfigOptions<z.ZodType>, 'flags' | 'env' | 'envPrefix'>): Raw => {
  const result: Raw = {};
  for (const [flag, spec] of Object.entries({ ...flags, config: CONFIG_FLAG })) {
    const value = env[variableOf(envPrefix, flag)];
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

/** A setting of a file stands as it would on the command line, so that the schema sees one form only. */
const fromFile = (path: string, flags: AppSettings['flags']): Raw => {
  const result: Raw = {};
  for (const [flag, value] of Object.entries(readSettingsFile(path))) {
    const spec = flags[flag];
    if (!spec) throw fileError(path, `"${flag}" is no setting`, `use one of ${Object.keys(flags).join(', ')}`);
    result[camel(flag)] = settingOf(path, flag, spec, value);
  }
  return result;
};

const settingOf = (path: string, flag: string, spec: FlagSpec, value: unknown): unknown => {
  const isPlain = typeof value === 'string' || typeof value === 'number';
  if (spec.type === 'boolean' && typeof value === 'boolean') return value;
  if (spec.type === 'string' && spec.multiple && Array.isArray(value) && value.every((v) => typeof v === 'string'))
    return value;
  if (spec.type === 'string' && isPlain) return spec.multiple ? String(value).split(',') : String(value);
  const wanted =
    spec.type === 'boolean'
      ? 'true or false'
      : spec.multiple
        ? 'a string or a list of strings'
        : 'a string or a number';
  throw fileError(path, `"${flag}" is not ${wanted}`, `write ${wanted}`);
};

const readSettingsFile = (path: string): object => {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fileError(path, code ? `cannot be read: ${code}` : 'is no JSON', 'give a JSON file that can be read');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw fileError(path, 'is no JSON object', 'write {"flag-name": value, ...}');
};

const fileError = (path: string, what: string, remedy: string): CadastreError =>
  new CadastreError('INVALID_ARGUMENT', `--config: ${path}: ${what}`, { field: '--config', remedy });
