import type { Command } from 'commander';
import { simulate } from '@cadastre/core';
import { sha256Hex } from '@cadastre/runtime';
import { limitsOf, type PlanFlags, planOptionsOf } from '../planning/plan-options.js';
import { readDocument } from '../planning/read-document.js';
import { scenarioText, simulationText } from '../planning/simulation-text.js';
import type { GlobalOptions, Session } from './context.js';
import { act } from './context.js';

interface SimulateFlags extends PlanFlags, GlobalOptions {
  readonly input: string;
  readonly reason?: string;
  readonly moves?: boolean;
}

const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), ...value.split(',')];

/** Flags of every command that plans from a file. */
export const withPlanFlags = (command: Command): Command =>
  command
    .option(
      '--limits <name=count,...>',
      'perNodeIn, perNodeOut, perRack, perZone, cluster: moves at once; bytesPerSecond of one node',
      collect,
    )
    .option('--dimensions <names>', 'balance these beside counts: bytes, or a named load', collect)
    .option('--tolerance <share>', 'how far from its share a node may be on a dimension; 0.05 unless given')
    .option('--min-gain <share>', 'a plan for balance alone has to gain so much; 0.01 unless given');

export const addSimulateCommand = (plan: Command, session: Session): void => {
  const command = withPlanFlags(
    plan
      .command('simulate')
      .description('plan for a cluster given as a file, without one; the format is in docs/planning.md')
      .requiredOption('--input <file>', 'nodes and keyspaces as JSON, or - for standard input'),
  )
    .option('--reason <text>', 'under the digest, as the reason of a live plan is')
    .option('--moves', 'with the first moves and their reasons');
  act<SimulateFlags>(session, command, async ({ io, out }, _, flags) => {
    const { limits, throttle } = limitsOf(flags.limits ?? []);
    const found = simulate(await readDocument(io, flags.input, '--input'), {
      plan: planOptionsOf(flags, limits),
      throttle,
      digestOf: sha256Hex,
      nowMs: () => io.clock.monotonicMs(),
      ...(flags.actor !== undefined && { proposer: flags.actor }),
      ...(flags.reason !== undefined && { reason: flags.reason }),
    });
    out.result(found, () => ('results' in found ? scenarioText(found) : simulationText(found, flags.moves ?? false)));
  });
};
