import type UPlot from 'uplot';
import { formatBytes } from '../model/format.js';
import { rateColumns } from '../model/rates.js';
import { now } from '../model/store.js';
import { colour, Lines } from './lines.js';

const series = (): UPlot.Series[] => [
  { label: 'copied', stroke: colour('--bar-a'), fill: colour('--run-bg'), width: 2 },
];

/** Bytes a second since this page watches the run. */
export const RateChart = ({ plan }: { readonly plan: string }) => {
  const columns = rateColumns(plan);
  if (now.value === 0 || columns[0].length < 2) return null;
  return (
    <figure class="rate">
      <figcaption class="quiet">Bytes copied a second, since this page watches</figcaption>
      <Lines
        key={plan}
        label="Bytes copied a second over time"
        columns={columns}
        leastMost={1}
        unit={(bytes) => `${formatBytes(bytes)}/s`}
        series={series}
      />
    </figure>
  );
};
