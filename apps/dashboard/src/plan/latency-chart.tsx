import type UPlot from 'uplot';
import { formatFigure } from '../heat/heat-model.js';
import type { LatencyFigure, RunLatency } from '../model/api.types.js';
import { formatCount } from '../model/format.js';
import { colour, Lines } from './lines.js';

const series = (): UPlot.Series[] => [
  { label: 'p99', stroke: colour('--bar-b'), width: 2 },
  { label: 'p50', stroke: colour('--bar-a'), width: 2 },
  { label: 'p99 before', stroke: colour('--bar-b'), width: 1, dash: [5, 5] },
];

/** Seconds since 1970, p99, p50, and the p99 of before to compare with. */
const columnsOf = ({ points, before }: RunLatency): UPlot.AlignedData => [
  points.map((p) => p.atMs / 1_000),
  points.map((p) => p.figure.p99Ms),
  points.map((p) => p.figure.p50Ms),
  points.map(() => (before.answers > 0 ? before.p99Ms : null)),
];

const Row = ({ name, figure }: { readonly name: string; readonly figure: LatencyFigure | null }) => (
  <tr>
    <th scope="row">{name}</th>
    <td data-label="answers" class="num">
      {figure ? formatCount(figure.answers) : 'not measured yet'}
    </td>
    <td data-label="p50" class="num">
      {formatFigure('p99', figure && figure.answers > 0 ? figure.p50Ms : null)}
    </td>
    <td data-label="p99" class="num">
      {formatFigure('p99', figure && figure.answers > 0 ? figure.p99Ms : null)}
    </td>
  </tr>
);

/** Whether clients suffer: before, while it runs, and after. */
export const LatencyChart = ({ latency }: { readonly latency: RunLatency | null | undefined }) => {
  if (!latency) return null;
  return (
    <div id="plan-latency">
      <h3 class="sub">Client latency in the partitions of this run</h3>
      {latency.points.length > 1 && (
        <figure class="rate">
          <figcaption class="legend">
            <span class="key" data-tone="b" /> p99 <span class="key" /> p50; dashed: p99 before it began
          </figcaption>
          <Lines
            label="p50 and p99 latency over time while it ran; the table has the figures"
            columns={columnsOf(latency)}
            leastMost={0.1}
            unit={(ms) => `${ms} ms`}
            series={series}
          />
        </figure>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-label="Client latency">
        <table class="latency">
          <thead>
            <tr>
              {['', 'answers', 'p50', 'p99'].map((head, i) => (
                <th key={head} scope="col" class={i > 0 ? 'num' : undefined}>
                  {head || 'when'}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Row name="the minute before" figure={latency.before} />
            <Row name="while it runs" figure={latency.during} />
            <Row name="the minute after" figure={latency.after} />
          </tbody>
        </table>
      </div>
      <p class="legend">Reads and writes together, from the request to the answer, as the nodes that answer see it.</p>
    </div>
  );
};
