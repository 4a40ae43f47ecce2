import type { Plan } from '../model/api.types.js';
import { formatBytes, formatCount, formatDuration, plural, type Tone } from '../model/format.js';
import { hasStarted, phaseOf } from '../model/plan-figures.js';
import { doneBytes, rateOf, stalledMs } from '../model/rates.js';
import { now } from '../model/store.js';
import { Bar, Chip, Flag } from '../ui/parts.js';

const TONES: Readonly<Record<string, Tone>> = { failed: 'bad', completed: 'good', executing: 'run' };

interface Progress {
  readonly share: number;
  readonly text: string;
}

const progressOf = (plan: Plan): Progress => {
  const bytesDone = plan.progress?.bytesDone ?? Math.min(plan.cost.bytes, doneBytes(plan.moves));
  const byMoves = plan.movesTotal === 0 ? 1 : plan.movesDone / plan.movesTotal;
  const byBytes = plan.cost.bytes > 0 ? bytesDone / plan.cost.bytes : byMoves;
  const parts = [`${formatCount(plan.movesDone)} of ${plural(plan.movesTotal, 'move')}`];
  if (plan.movesFailed > 0) parts.push(`${formatCount(plan.movesFailed)} failed`);
  if (plan.cost.bytes > 0) parts.push(`${formatBytes(bytesDone)} of ${formatBytes(plan.cost.bytes)}`);
  if (plan.state === 'executing') parts.push(...paceOf(plan, bytesDone));
  return { share: plan.state === 'completed' ? 1 : (byMoves + byBytes) / 2, text: parts.join(' · ') };
};

/** The server's rate and range where it gives them; else what this page saw. */
const paceOf = (plan: Plan, bytesDone: number): string[] => {
  const { progress } = plan;
  if (progress && progress.etaHighMs > 0)
    return [
      `${formatBytes(progress.bytesPerSecond)}/s`,
      `${formatDuration(progress.etaLowMs)} to ${formatDuration(progress.etaHighMs)} left`,
    ];
  const rate = rateOf(plan.id);
  if (rate === undefined) return [];
  return [`${formatBytes(rate)}/s`, `about ${formatDuration(((plan.cost.bytes - bytesDone) / rate) * 1_000)} left`];
};

const Phases = ({ plan }: { readonly plan: Plan }) => {
  const counts = new Map<string, number>();
  for (const move of plan.moves) counts.set(phaseOf(move), (counts.get(phaseOf(move)) ?? 0) + 1);
  const stalled = plan.moves.filter((move) => stalledMs(plan.id, move, now.value) !== undefined).length;
  return (
    <div class="phases">
      {[...counts].map(([phase, count]) => (
        <span key={phase}>
          <Chip word={phase} /> {formatCount(count)}
        </span>
      ))}
      {stalled > 0 && plan.state === 'executing' && (
        <Flag tone="warn">{plural(stalled, 'move')} stalled: see the cause below</Flag>
      )}
    </div>
  );
};

/** A run as it goes: how far, how fast, and what may be turned. */
export const Run = ({ plan }: { readonly plan: Plan }) => {
  if (!hasStarted(plan)) return null;
  const { share, text } = progressOf(plan);
  return (
    <div id="plan-run">
      <div
        class="run"
        role="progressbar"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-label="Progress of the run"
        aria-valuetext={text}
      >
        <div class="run-head">
          <strong>{Math.floor(share * 100)} %</strong>
          <span>{text}</span>
        </div>
        <Bar share={share} tone={TONES[plan.state] ?? 'warn'} />
      </div>
      <Phases plan={plan} />
    </div>
  );
};
