import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { formatBytes } from '../model/format.js';
import { rateColumns } from '../model/rates.js';
import { now } from '../model/store.js';

const HEIGHT = 150;

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const optionsOf = (width: number): UPlot.Options => ({
  width,
  height: HEIGHT,
  legend: { show: false },
  cursor: { y: false },
  scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
  axes: [
    { stroke: colour('--quiet'), grid: { stroke: colour('--line-soft') } },
    {
      stroke: colour('--quiet'),
      grid: { stroke: colour('--line-soft') },
      size: 76,
      values: (_, splits) => splits.map((v) => `${formatBytes(v)}/s`),
    },
  ],
  series: [{}, { label: 'copied', stroke: colour('--bar-a'), fill: colour('--run-bg'), width: 2 }],
});

/** Bytes a second since this page watches the run. */
export const RateChart = ({ plan }: { readonly plan: string }) => {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  const columns = rateColumns(plan);
  const hasData = now.value > 0 && columns[0].length > 1;
  useEffect(() => {
    if (!hasData || !box.current) return undefined;
    const made = new UPlot(optionsOf(box.current.clientWidth), columns, box.current);
    chart.current = made;
    const fit = new ResizeObserver(() => made.setSize({ width: box.current?.clientWidth ?? 300, height: HEIGHT }));
    fit.observe(box.current);
    return () => {
      fit.disconnect();
      made.destroy();
    };
  }, [plan, hasData]);
  useEffect(() => {
    chart.current?.setData(columns);
  }, [now.value]);
  return (
    <figure class="rate" hidden={!hasData}>
      <figcaption class="quiet">Bytes copied a second, since this page watches</figcaption>
      <div ref={box} role="img" aria-label="Bytes copied a second over time" />
    </figure>
  );
};
