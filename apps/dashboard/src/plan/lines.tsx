import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';

const HEIGHT = 150;

export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export interface LinesProps {
  /** What a screen reader says of it. */
  readonly label: string;
  /** The first column is time, in seconds since 1970. */
  readonly columns: UPlot.AlignedData;
  readonly leastMost: number;
  readonly unit: (value: number) => string;
  /** Read when the chart is made: colours are those of the theme then. */
  readonly series: () => UPlot.Series[];
}

/** Lines over time, as wide as there is room. */
export const Lines = ({ label, columns, leastMost, unit, series }: LinesProps) => {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  useEffect(() => {
    const made = new UPlot(optionsOf(box.current!.clientWidth, leastMost, unit, series()), columns, box.current!);
    chart.current = made;
    const fit = new ResizeObserver(() => made.setSize({ width: box.current?.clientWidth ?? 300, height: HEIGHT }));
    fit.observe(box.current!);
    return () => {
      fit.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => {
    chart.current?.setData(columns);
  }, [columns]);
  return <div ref={box} role="img" aria-label={label} />;
};

const optionsOf = (
  width: number,
  leastMost: number,
  unit: LinesProps['unit'],
  series: UPlot.Series[],
): UPlot.Options => {
  const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line-soft') } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(leastMost, most * 1.15)] } },
    axes: [axis, { ...axis, size: 76, values: (_, splits) => splits.map(unit) }],
    series: [{}, ...series],
  };
};
