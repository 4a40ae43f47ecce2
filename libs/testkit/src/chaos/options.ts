import { parseArgs } from 'node:util';
import { AGENT_FAULTS, REGISTER_FAULTS } from './faults.js';
import { SCENARIOS } from './scenarios.js';

export interface ChaosOptions {
  readonly scenario: string;
  readonly minutes: number;
  readonly seed: number;
  /** Calls a second of all clients together. */
  readonly rate: number;
  readonly clients: number;
  readonly workers: number;
  readonly keys: number;
  readonly requestTimeoutMs: number;
  /** Only these kinds; all when empty. */
  readonly faults: readonly string[];
  readonly loopback: boolean;
  readonly keep: boolean;
  readonly json: boolean;
}

export const USAGE = `usage: npm run chaos -- [--minutes M] [--seed S] [--rate R] [--scenario ${Object.keys(SCENARIOS).join('|')}]
  [--clients N] [--workers N] [--keys N] [--request-timeout-ms N] [--faults KIND,KIND] [--loopback] [--keep] [--json]
  --minutes   length of the faults, or of the outage (default 2)
  --loopback  no network namespaces, even for root: cuts by proxies
  --keep      leaves the folder with history and logs; a run with a violation always does`;

const knownFaults = (given: readonly string[]): readonly string[] => {
  const known = [...AGENT_FAULTS, ...REGISTER_FAULTS].map(({ kind }) => kind);
  const strange = given.find((kind) => !known.includes(kind));
  if (strange !== undefined) throw new Error(`--faults: "${strange}" is unknown; known: ${known.join(', ')}`);
  return given;
};

/** @throws Error naming the flag */
export const parseChaosOptions = (argv: readonly string[]): ChaosOptions => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: 'string', default: 'chaos' },
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      rate: { type: 'string', default: '600' },
      clients: { type: 'string', default: '3' },
      workers: { type: 'string', default: '80' },
      keys: { type: 'string', default: '96' },
      'request-timeout-ms': { type: 'string', default: '' },
      faults: { type: 'string', default: '' },
      loopback: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const scenario = SCENARIOS[values.scenario];
  if (!scenario)
    throw new Error(`--scenario: "${values.scenario}" is unknown; known: ${Object.keys(SCENARIOS).join(', ')}`);
  const number = (flag: 'minutes' | 'seed' | 'rate' | 'clients' | 'workers' | 'keys', least: number): number => {
    const value = Number(values[flag]);
    if (!(value >= least)) throw new Error(`--${flag}: "${values[flag]}" is no number of at least ${least}`);
    return value;
  };
  // Where nothing may fail, a request may take as long as the client's own default lets it; else unknown outcomes are wanted.
  const timeout = Number(values['request-timeout-ms'] || (scenario.mayFail ? 5_000 : 20_000));
  if (!(timeout > 0)) throw new Error(`--request-timeout-ms: "${values['request-timeout-ms']}" is no number`);
  return {
    scenario: values.scenario,
    minutes: number('minutes', 0.05),
    seed: number('seed', 0),
    rate: number('rate', 1),
    clients: number('clients', 1),
    workers: number('workers', 1),
    keys: number('keys', 1),
    requestTimeoutMs: timeout,
    faults: knownFaults(values.faults.split(',').filter(Boolean)),
    loopback: values.loopback,
    keep: values.keep,
    json: values.json,
  };
};
