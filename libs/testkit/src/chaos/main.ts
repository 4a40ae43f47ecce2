import { createReadStream, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HistoryEvent, Violation } from '../checkers/index.js';
import { checkHistory, decodeHistory } from '../checkers/index.js';
import { LoopbackNetwork, NamespaceNetwork } from './network.js';
import type { ChaosOptions } from './options.js';
import { parseChaosOptions, USAGE } from './options.js';
import { historyNow, Recorder } from './recorder.js';
import { SCENARIOS } from './scenarios.js';
import { checkAudit, readAll, settle } from './settle.js';
import type { Summary } from './summary.js';
import { printSummary, summarise } from './summary.js';
import { World } from './world.js';

/** Started by tools/chaos.mjs, which says in CHAOS_NETWORK whether this process has namespaces of its own. */
const inNamespaces = process.env['CHAOS_NETWORK'] === 'namespaces';
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

const readHistory = async (dir: string): Promise<HistoryEvent[]> => {
  const events: HistoryEvent[] = [];
  for (const name of readdirSync(dir).filter((file) => file.startsWith('history'))) {
    for await (const line of createInterface({ input: createReadStream(join(dir, name)) })) {
      for (const event of decodeHistory(line, name)) events.push(event);
    }
  }
  return events;
};

/** What a scenario waited for in vain; the history is judged all the same. */
const neverCame = (error: unknown): Violation[] => [
  { rule: 'liveness', at: historyNow(), subject: 'scenario', what: String(error) },
];

const run = async (options: ChaosOptions, dir: string): Promise<{ summary: Summary; violations: Violation[] }> => {
  const scenario = SCENARIOS[options.scenario]!;
  const recorder = new Recorder(join(dir, 'history.jsonl'));
  const network = inNamespaces && !options.loopback ? await NamespaceNetwork.create() : new LoopbackNetwork();
  const world = new World(network, recorder, {
    dir,
    etcdMembers: 3,
    controlPlanes: 2,
    agents: 6,
    clients: options.clients,
  });
  const violations: Violation[] = [];
  const faults: Record<string, number> = {};
  const plans = new Set<string>();
  recorder.note(`seed ${options.seed}, ${JSON.stringify(options)}`);
  recorder.onEvent((event) => {
    if (event.type === 'fault' && event.phase === 'begin') faults[event.kind] = (faults[event.kind] ?? 0) + 1;
    if (event.type === 'plan') plans.add(event.id);
  });
  let loadMs = 0;
  try {
    tell(`starting 3 etcd members, 2 control planes, 6 agents, ${options.clients} clients (${network.kind})`);
    await world.start();
    await world.startClients({ ...options, rate: options.rate / options.clients });
    const began = historyNow();
    tell(`${options.scenario}, seed ${options.seed}: load of ${options.rate} operations a second`);
    violations.push(
      ...(await scenario
        .run(world, { seed: options.seed, lengthMs: options.minutes * 60_000, faults: options.faults })
        .catch(neverCame)),
    );
    tell('faults are over: waiting until all is well');
    violations.push(...(await settle(world)));
    violations.push(...(await checkAudit(world)));
    await world.stopClients(options.requestTimeoutMs + 10_000);
    loadMs = historyNow() - began;
    const used = await readHistory(dir);
    await readAll(world, new Set(used.flatMap((e) => (e.type === 'invoke' ? [e.key] : []))));
  } finally {
    await world.stop();
    await recorder.close();
  }
  tell('checking the history');
  for (const what of world.surprises) violations.push({ rule: 'process', at: 0, subject: 'run', what });
  const report = checkHistory(await readHistory(dir), { alive: () => false });
  violations.push(...report.violations);
  if (!scenario.mayFail && report.failed + report.unknown > 0) {
    const what = `${report.failed} calls failed and ${report.unknown} were left unknown; none may in this scenario`;
    violations.push({ rule: 'availability', at: 0, subject: 'clients', what });
  }
  return {
    summary: summarise({ options, network: network.kind, report, violations, loadMs, faults, plans: plans.size }),
    violations,
  };
};

const main = async (): Promise<number> => {
  let options: ChaosOptions;
  try {
    options = parseChaosOptions(process.argv.slice(2));
  } catch (error) {
    tell(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const dir = mkdtempSync(join(tmpdir(), 'cadastre-chaos-'));
  let failed = true;
  try {
    const { summary, violations } = await run(options, dir);
    failed = summary.verdict !== 'pass';
    process.stdout.write(`${options.json ? JSON.stringify(summary) : printSummary(summary, violations)}\n`);
    if (failed && options.json) tell(printSummary(summary, violations));
    return failed ? 1 : 0;
  } catch (error) {
    tell(`the run broke: ${(error as Error).stack ?? String(error)}`);
    return 1;
  } finally {
    if (failed || options.keep)
      tell(`history and logs: ${dir}; again: npm run chaos -- --seed ${options.seed} --minutes ${options.minutes}`);
    else rmSync(dir, { recursive: true, force: true });
  }
};

process.exit(await main());
