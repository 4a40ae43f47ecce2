import type {
  DomainRisk,
  DurationEstimate,
  Rehearsal,
  RehearsalPoint,
  ScenarioResult,
  SimulationResult,
} from '@cadastre/core';
import { bytes, count, duration, facts, plural, table } from '../format.js';

const MOVES_SHOWN = 20;

export const ratioText = (ratio: number): string => ratio.toFixed(3);

/** One plan of the simulator: figures, proof, rehearsal, and its first moves. */
export const simulationText = (result: SimulationResult, moves: boolean): string => {
  const head = facts([
    ['moves', movesText(result)],
    ['lower bound', `${plural(result.lowerBound.moves, 'move')}, ratio ${ratioText(result.ratio)}`],
    ...result.lowerBound.because.slice(0, 5).map((line, i) => [i === 0 ? 'because' : '', line] as const),
    ...(result.built > 0 ? ([['placed from nothing', plural(result.built, 'copy', 'copies')]] as const) : []),
    ...result.notes.map((note) => ['note', note] as const),
    ['violations', `${count(result.violationsBefore)} -> ${count(result.violationsAfter)}`],
    ...result.scores.map((s) => [s.name, `${figure(s.before)} -> ${figure(s.after)}`] as const),
    ['steps', count(result.steps.length)],
    ['estimate', estimateText(result.estimate)],
    ['risk', result.rehearsal.summary],
    ['solved in', `${result.solveMs} ms`],
    ['digest', result.digest || '-'],
  ]);
  return `${head}\n${rehearsalTable(result.rehearsal)}${moves ? `\n${stepsTable(result)}` : ''}`;
};

const movesText = (result: SimulationResult): string =>
  result.nothingBecause !== ''
    ? `nothing to do: ${result.nothingBecause}`
    : `${plural(result.moves, 'copy', 'copies')}, ${plural(result.leaderTransfers, 'change')} of leader, ${bytes(result.bytesMoved)}`;

const figure = (value: number): string => String(Math.round(value * 10_000) / 10_000);

export const estimateText = (e: DurationEstimate): string =>
  `${duration(e.likelyMs)}, between ${duration(e.lowMs)} and ${duration(e.highMs)}${e.busiest.node === '' ? '' : `; ${e.busiest.node} is busiest with ${bytes(e.busiest.bytes)}`}`;

interface RiskRow {
  readonly label: string;
  readonly before: DomainRisk;
  readonly worst: { readonly unavailable: number; readonly dataLoss: number };
  readonly after: DomainRisk;
}

/** For each kind of domain: what the loss of one would stop and lose, before, at the worst moment of the plan, and after. */
export const rehearsalTable = ({ before, during, after }: Rehearsal): string => {
  const worstOf = (i: number, of: (risk: DomainRisk) => number): number =>
    [before, ...during].reduce((most: number, point: RehearsalPoint) => Math.max(most, of(point.risks[i]!)), 0);
  const rows = before.risks.map((risk, i): RiskRow => ({
    label: risk.label,
    before: risk,
    worst: {
      unavailable: worstOf(i, (r) => r.unavailable.partitions),
      dataLoss: worstOf(i, (r) => r.dataLoss.partitions),
    },
    after: after.risks[i]!,
  }));
  const stops = (of: (row: RiskRow) => number) => ({
    align: 'right' as const,
    value: (row: RiskRow) => count(of(row)),
  });
  return table(rows, [
    { title: 'LOSS OF ONE', value: (r) => r.label },
    { title: 'STOPS BEFORE', ...stops((r) => r.before.unavailable.partitions) },
    { title: 'DURING', ...stops((r) => r.worst.unavailable) },
    { title: 'AFTER', ...stops((r) => r.after.unavailable.partitions) },
    { title: 'LOSES BEFORE', ...stops((r) => r.before.dataLoss.partitions) },
    { title: 'DURING', ...stops((r) => r.worst.dataLoss) },
    { title: 'AFTER', ...stops((r) => r.after.dataLoss.partitions) },
  ]);
};

const stepsTable = (result: SimulationResult): string => {
  const moves = result.steps.flatMap((step, i) => step.map((move) => ({ step: i + 1, ...move })));
  const rows = table(moves.slice(0, MOVES_SHOWN), [
    { title: 'STEP', align: 'right', value: (m) => m.step },
    { title: 'PARTITION', value: (m) => `${m.keyspace}/${m.partition}` },
    { title: 'KIND', value: (m) => m.kind },
    { title: 'FROM', value: (m) => m.from || '-' },
    { title: 'TO', value: (m) => m.to || '-' },
    { title: 'REASON', value: (m) => m.reason },
  ]);
  const left = moves.length - MOVES_SHOWN;
  return moves.length === 0 ? '' : left > 0 ? `${rows}and ${count(left)} more; --json has them all\n` : rows;
};

/** One line for each set of nodes. */
export const scenarioText = ({ results, total }: ScenarioResult): string => {
  const rows = table(
    results.map((result, i) => ({ result, i })),
    [
      { title: 'SET', align: 'right', value: (r) => r.i + 1 },
      { title: 'MOVES', align: 'right', value: (r) => count(r.result.moves) },
      { title: 'BOUND', align: 'right', value: (r) => count(r.result.lowerBound.moves) },
      { title: 'RATIO', align: 'right', value: (r) => ratioText(r.result.ratio) },
      { title: 'LEADERS', align: 'right', value: (r) => count(r.result.leaderTransfers) },
      { title: 'VIOLATIONS', align: 'right', value: (r) => count(r.result.violationsAfter) },
      { title: 'STEPS', align: 'right', value: (r) => count(r.result.steps.length) },
      { title: 'MS', align: 'right', value: (r) => r.result.solveMs },
      { title: 'RISK', value: (r) => r.result.rehearsal.verdict },
    ],
  );
  return `${rows}\n${facts([
    [
      'moves in all',
      `${count(total.moves)}, lower bound ${count(total.lowerBoundMoves)}, ratio ${ratioText(total.ratio)}`,
    ],
    ['bytes', bytes(total.bytesMoved)],
  ])}`;
};
