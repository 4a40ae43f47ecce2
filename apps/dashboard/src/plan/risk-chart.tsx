import type { Rehearsal, RehearsalPoint } from '../model/api.types.js';
import { plural } from '../model/format.js';
import { isNarrow } from '../ui/narrow.js';

/** Text keeps its size: a narrow page has a narrower picture, not a smaller one. */
const widthNow = (): number => (isNarrow.value ? 360 : 640);
const HEIGHT = 130;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 10;

interface Line {
  readonly label: string;
  readonly values: readonly number[];
}

const pointsOf = (rehearsal: Rehearsal): RehearsalPoint[] => [
  { ...rehearsal.before, step: 0 },
  ...rehearsal.during.filter((p) => p.step > 0 && p.step < rehearsal.steps),
  { ...rehearsal.after, step: Math.max(1, rehearsal.steps) },
];

const linesOf = (points: readonly RehearsalPoint[]): Line[] => {
  const labels = [...new Set(points.flatMap((p) => p.risks.map((r) => r.label)))];
  return labels.map((label) => ({
    label,
    values: points.map((p) => p.risks.find((r) => r.label === label)?.unavailable.partitions ?? 0),
  }));
};

/** Stairs: a figure holds until the next step that changes it. */
const stairs = (
  points: readonly RehearsalPoint[],
  values: readonly number[],
  x: (step: number) => number,
  y: (value: number) => number,
): string =>
  values.map((value, i) => (i === 0 ? `M${x(0)},${y(value)}` : `H${x(points[i]!.step)}V${y(value)}`)).join('');

/** How many partitions the worst loss of one node, rack or zone would stop, step by step. */
export const RiskChart = ({ rehearsal }: { readonly rehearsal: Rehearsal }) => {
  const points = pointsOf(rehearsal);
  const width = widthNow();
  const lines = linesOf(points);
  const most = Math.max(1, ...lines.flatMap((l) => l.values));
  const steps = points.at(-1)!.step;
  const x = (step: number): number => LEFT + (step / steps) * (width - LEFT - 8);
  const y = (value: number): number => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
  return (
    <div id="plan-risk">
      <h3 class="sub">Rehearsal: what a loss would stop on the way</h3>
      <p>{rehearsal.summary}</p>
      <svg
        class="risk"
        viewBox={`0 0 ${width} ${HEIGHT}`}
        role="img"
        aria-label={`Partitions that the worst loss would stop, over ${plural(rehearsal.steps, 'step')}. ${rehearsal.summary}`}
      >
        <line class="axis" x1={LEFT} x2={width - 8} y1={y(0)} y2={y(0)} />
        <line class="axis faint" x1={LEFT} x2={width - 8} y1={y(most)} y2={y(most)} />
        <text x={LEFT - 6} y={y(most) + 4} text-anchor="end">
          {most}
        </text>
        <text x={LEFT - 6} y={y(0) + 4} text-anchor="end">
          0
        </text>
        <text x={LEFT} y={HEIGHT - 5}>
          now
        </text>
        <text x={width - 8} y={HEIGHT - 5} text-anchor="end">
          after step {steps}
        </text>
        {lines.map((line, i) => (
          <path key={line.label} class="line" data-line={i % 4} d={stairs(points, line.values, x, y)} />
        ))}
      </svg>
      <p class="legend">
        {lines.map((line, i) => (
          <span key={line.label}>
            <svg class="swatch" width="22" height="8" aria-hidden="true">
              <path class="line" data-line={i % 4} d="M0,4H22" />
            </svg>{' '}
            one {line.label}: {line.values[0]} now, {Math.max(...line.values)} at worst, {line.values.at(-1)} after{' '}
          </span>
        ))}
      </p>
    </div>
  );
};
