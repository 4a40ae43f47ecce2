import type { Command } from 'commander';
import type { Wire } from '@cadastre/contracts';
import { parseDuration, parseRate } from '../amounts.js';
import { bytes, duration, facts } from '../format.js';
import type { Session } from './context.js';
import { act } from './context.js';

interface ThrottleOptions {
  readonly node?: string;
  readonly cluster?: string;
  readonly reason?: string;
}

interface SettingsOptions {
  readonly repair?: string;
  readonly repairGrace?: string;
  readonly quarantine?: string;
  readonly reason?: string;
}

/** Without options they show; what is given is set and holds at once. */
export const addSettingsCommands = (program: Command, session: Session): void => {
  const throttle = program
    .command('throttle')
    .description('how fast copies may move, also those under way; without options: what holds now')
    .option('--node <rate>', 'out of one node and into one, such as 50MB/s, or none')
    .option('--cluster <rate>', 'of all copies together')
    .option('--reason <text>', 'kept in the audit log');
  act<ThrottleOptions>(session, throttle, async ({ out, operator, actor }, _, { node, cluster, reason = '' }) => {
    const change: Wire.ChangeSettingsRequest = {
      ...(node !== undefined && { nodeBytesPerSecond: parseRate('node', node) }),
      ...(cluster !== undefined && { clusterBytesPerSecond: parseRate('cluster', cluster) }),
    };
    const nothing = Object.keys(change).length === 0;
    const now = nothing
      ? await operator().getSettings()
      : await operator().changeSettings({ ...change, actor, reason });
    out.result(now, () => facts(throttleFacts(now)));
  });
  const settings = program
    .command('settings')
    .description('how much automation may do; without options: what holds now')
    .option('--repair <mode>', 'of a copy that is lost for longer than the grace: auto, propose or off')
    .option('--repair-grace <time>', 'such as 10m')
    .option('--quarantine <time>', 'for which a copy that was moved away is kept, such as 15m')
    .option('--reason <text>', 'kept in the audit log');
  act<SettingsOptions>(session, settings, async ({ out, operator, actor }, _, options) => {
    const { repair, repairGrace, quarantine, reason = '' } = options;
    const change: Wire.ChangeSettingsRequest = {
      ...(repair !== undefined && { repair }),
      ...(repairGrace !== undefined && { repairGraceMs: parseDuration('repairGrace', repairGrace) }),
      ...(quarantine !== undefined && { quarantineMs: parseDuration('quarantine', quarantine) }),
    };
    const nothing = Object.keys(change).length === 0;
    const now = nothing
      ? await operator().getSettings()
      : await operator().changeSettings({ ...change, actor, reason });
    out.result(now, () => settingsText(now));
  });
};

/** Automation stops when many nodes vanish at once; a person may decide that they are lost. */
export const addUnfreezeCommand = (program: Command, session: Session): void => {
  const unfreeze = program
    .command('unfreeze')
    .description("end a person's freeze, or accept the loss of the nodes that automation froze for")
    .option('--by <who>', 'person or automation: needed where both have frozen')
    .requiredOption('--reason <text>', 'kept in the audit log');
  act<{ reason: string; by?: string }>(session, unfreeze, async ({ out, operator, actor }, _, { reason, by = '' }) => {
    const ended = await operator().unfreeze({ actor, reason, by });
    const without = ended.nodes.length > 0 ? ` without ${ended.nodes.join(', ')}` : '';
    out.result(ended, () => `automation goes on${without}\n`);
  });
};

const rate = (bytesPerSecond: number): string => (bytesPerSecond === 0 ? 'no limit' : `${bytes(bytesPerSecond)}/s`);

const throttleFacts = (s: Wire.Settings__Output): [string, string][] => [
  ['copies of a node', rate(s.nodeBytesPerSecond)],
  ['of the cluster', rate(s.clusterBytesPerSecond)],
];

const settingsText = (s: Wire.Settings__Output): string =>
  facts([
    ['repair', s.repair],
    ['repair grace', duration(s.repairGraceMs)],
    ['quarantine', s.quarantineMs === 0 ? 'none' : duration(s.quarantineMs)],
    ...throttleFacts(s),
  ]);
