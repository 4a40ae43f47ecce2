import { z } from 'zod';
import type { AppSettings, FlagSpec } from './flags.js';
import { camel, CONFIG_FLAG, variableOf } from './flags.js';

/** One setting as people read it. */
export interface SettingView {
  /** With its value: `--listen HOST:PORT`. */
  readonly flag: string;
  readonly variable: string;
  readonly help: string;
  readonly required: boolean;
  /** `127.0.0.1:0`; '' when there is none. */
  readonly byDefault: string;
  /** `1 to 1000`, `open or required`; '' when any will do. */
  readonly limits: string;
}

interface Property {
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

/** Every setting in the order of its flags, with what the schema says of it. */
export const settingsOf = ({ flags, schema, envPrefix }: AppSettings): SettingView[] => {
  const json = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' });
  const input = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const required = new Set(input.required ?? []);
  return Object.entries({ ...flags, config: CONFIG_FLAG }).map(([name, spec]) => {
    const field = camel(name);
    const property = { ...(json.properties?.[field] as Property), ...(input.properties?.[field] as Property) };
    return {
      flag: `--${name}${spec.type === 'boolean' ? '' : ` ${spec.value ?? 'VALUE'}`}`,
      variable: variableOf(envPrefix, name),
      help: help(spec),
      required: required.has(field),
      byDefault: said(property.default),
      limits: limitsOf(property),
    };
  });
};

const help = (spec: FlagSpec): string => (spec.multiple ? `${spec.help} (several)` : spec.help);

const said = (value: unknown): string =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0) ? '' : String(value);

const limitsOf = (property: Property): string => {
  if (property.enum) return property.enum.join(', ');
  const { minimum, maximum, exclusiveMinimum } = property;
  const isEnd = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && Math.abs(minimum) !== Number.MAX_SAFE_INTEGER)
    return isEnd ? `at least ${minimum}` : `${minimum} to ${maximum}`;
  return exclusiveMinimum === undefined ? '' : `above ${exclusiveMinimum}`;
};

/** What `--help` prints. */
export const helpOf = (settings: AppSettings): string => {
  const views = settingsOf(settings);
  const width = Math.max(...views.map(({ flag }) => flag.length));
  const lines = views.map((view) => `  ${view.flag.padEnd(width)}  ${sentence(view)}\n`);
  return `usage: ${settings.program} [flags]\n\n${lines.join('')}\n${ORDER} Variables: ${settings.envPrefix}_FLAG_NAME.\n`;
};

const ORDER = 'A flag wins over its environment variable, and that over the file of --config.';

const sentence = ({ help: text, required, byDefault, limits }: SettingView): string => {
  const notes = [required ? 'required' : '', limits, byDefault === '' ? '' : `default ${byDefault}`].filter(Boolean);
  return notes.length === 0 ? text : `${text} [${notes.join('; ')}]`;
};

/** Prints the help where it is asked for. @returns whether it was */
export const printHelp = (
  settings: AppSettings,
  argv: readonly string[],
  out: { write(text: string): unknown },
): boolean => {
  if (!argv.includes('--help') && !argv.includes('-h')) return false;
  out.write(helpOf(settings));
  return true;
};
