import { useState } from 'preact/hooks';
import { HeatCanvas } from '../heat/heat-canvas.js';
import type { Cell, View } from '../heat/heat-model.js';
import {
  formatFigure,
  gradient,
  METRICS,
  partitionsOf,
  partitionsText,
  queryOf,
  scaleOf,
  shareOf,
  ticksOf,
  timeOf,
  valueAt,
  WINDOWS,
  zoomed,
} from '../heat/heat-model.js';
import { HottestTable } from '../heat/hottest-table.js';
import { get, path } from '../model/api.js';
import type { Heat, Keyspace, Metric } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { formatDuration, plural } from '../model/format.js';
import { link, route } from '../model/route.js';
import { now, world } from '../model/store.js';
import { KeyspaceTable } from '../ui/keyspace-table.js';
import { Banner, Choice, Cli, Loading, Panel, Time } from '../ui/parts.js';
import { useData } from '../ui/use-data.js';

const BINS = { timeBins: 120, buckets: 128 } as const;
const REREAD_MS = 10_000;

export const HeatMap = () => {
  const all = world.value?.status.keyspaces;
  if (!all) return <Loading />;
  const [name] = route.value.rest;
  if (all.length === 0)
    return (
      <Panel id="heat-map" title="Heat map">
        <KeyspaceTable keyspaces={all} />
      </Panel>
    );
  const keyspace = name === undefined ? all[0]! : all.find((k) => k.spec.name === name);
  if (!keyspace) return <Banner tone="bad">There is no keyspace {name}.</Banner>;
  return <HeatOf key={keyspace.spec.name} keyspace={keyspace} all={all} />;
};

const number = (name: string, otherwise = 0): number => {
  const text = route.value.query.get(name) ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : otherwise;
};

/** What is looked at stands in the address, so that it can be passed on. */
const useView = (keyspace: string): [View, (next: View) => void] => {
  const metric = METRICS.find((m) => m.value === route.value.query.get('by'))?.value ?? 'reads';
  const view: View = {
    metric,
    windowMs: number('window', WINDOWS[0].minutes * 60_000),
    fromMs: number('from'),
    toMs: number('to'),
    firstPartition: number('first'),
    partitions: number('count'),
  };
  const show = (next: View) => {
    const { windowMs, fromMs, toMs, firstPartition, partitions } = next;
    const time = toMs > 0 ? `&from=${fromMs}&to=${toMs}` : '';
    const range = partitions > 0 ? `&first=${firstPartition}&count=${partitions}` : '';
    const query = `?by=${next.metric}&window=${windowMs}${time}${range}`;
    history.replaceState(null, '', `${link('heat', keyspace)}${query}`);
    dispatchEvent(new HashChangeEvent('hashchange'));
  };
  return [view, show];
};

const isZoomed = (view: View): boolean => view.toMs > 0 || view.partitions > 0;
const wholeOf = (view: View): View => ({ ...view, fromMs: 0, toMs: 0, firstPartition: 0, partitions: 0 });

const HeatOf = ({ keyspace, all }: { readonly keyspace: Keyspace; readonly all: readonly Keyspace[] }) => {
  const { name } = keyspace.spec;
  const [view, show] = useView(name);
  const [point, setPoint] = useState<Cell | undefined>(undefined);
  const tick = view.toMs > 0 ? 0 : Math.floor(now.value / REREAD_MS);
  const query = queryOf(view, BINS);
  const { data: heat, error } = useData(`${name} ${query} ${tick}`, () =>
    get<Heat>(`${path`/api/v1/keyspaces/${name}/heat`}?${query}`),
  );
  const choose = (cell: Cell) => {
    const { first, count } = partitionsOf(heat!, cell.bucket);
    if (count === 1) location.hash = `${link('keyspaces', name)}?partition=${first}`;
    else show({ ...view, firstPartition: first, partitions: count });
  };
  const minutes = Math.round(view.windowMs / 60_000);
  return (
    <Panel id="heat-map" title={`Load of ${name}`} aside={<Choices name={name} all={all} view={view} show={show} />}>
      {error && <Banner tone="bad">{heat ? `${error}. What is shown is older.` : error}</Banner>}
      {!heat && !error && <Loading />}
      {heat && (
        <>
          <div class="row">
            <Legend heat={heat} />
            <span class="spacer" />
            {isZoomed(view) && (
              <button type="button" class="small" id="heat-all" onClick={() => show(wholeOf(view))}>
                Show all
              </button>
            )}
          </div>
          <HeatCanvas
            heat={heat}
            onPoint={setPoint}
            onZoom={(a, b) => show(zoomed(heat, view, a, b))}
            onChoose={choose}
            onAll={() => show(wholeOf(view))}
          />
          <Point heat={heat} cell={point} />
          <Known heat={heat} />
          <HottestTable heat={heat} />
        </>
      )}
      <Cli commands={[command('keyspace', 'heat', name, '--by', view.metric, '--minutes', String(minutes))]} />
    </Panel>
  );
};

const Choices = ({
  name,
  all,
  view,
  show,
}: {
  readonly name: string;
  readonly all: readonly Keyspace[];
  readonly view: View;
  readonly show: (view: View) => void;
}) => (
  <>
    <span class="spacer" />
    <Choice
      id="heat-keyspace"
      text="keyspace"
      value={name}
      options={all.map((k) => [k.spec.name, k.spec.name] as const)}
      onChoose={(other) => (location.hash = link('heat', other))}
    />
    <Choice
      id="heat-by"
      text="by"
      value={view.metric}
      options={METRICS.map((m) => [m.value, m.text] as const)}
      onChoose={(metric) => show({ ...view, metric: metric as Metric })}
    />
    <Choice
      id="heat-window"
      text="last"
      value={String(view.windowMs)}
      options={WINDOWS.map((w) => [String(w.minutes * 60_000), w.text] as const)}
      onChoose={(windowMs) => show({ ...view, windowMs: Number(windowMs), fromMs: 0, toMs: 0 })}
    />
  </>
);

const Legend = ({ heat }: { readonly heat: Heat }) => {
  const scale = scaleOf(heat);
  const { metric } = heat;
  return (
    <div class="heat-legend" id="heat-legend">
      {scale && (
        <figure>
          <span class="heat-scale" style={{ background: gradient() }} aria-hidden="true" />
          <figcaption class="quiet">
            {ticksOf(scale).map((tick, i, all) => (
              <span
                key={tick}
                data-end={i === 0 ? 'first' : i === all.length - 1 ? 'last' : undefined}
                style={{ left: `${shareOf(scale, tick) * 100}%` }}
              >
                {formatFigure(metric, tick)}
              </span>
            ))}
          </figcaption>
        </figure>
      )}
      <ul class="cells">
        {metric !== 'p99' && (
          <li>
            <span class="cell" data-cell="cold" /> none
          </li>
        )}
        <li>
          <span class="cell" data-cell="unknown" /> {metric === 'p99' ? 'nothing answered' : 'not measured'}
        </li>
      </ul>
    </div>
  );
};

/** What the pointer or the keys are at, in words. */
const Point = ({ heat, cell }: { readonly heat: Heat; readonly cell: Cell | undefined }) => {
  const { metric, steps, buckets } = heat;
  const isThere = cell && cell.step < steps && cell.bucket < buckets;
  return (
    <p class="heat-point" id="heat-point" aria-live="polite">
      {isThere ? (
        <>
          <strong>{formatFigure(metric, valueAt(heat, cell))}</strong> {partitionsText(heat, cell.bucket)}
          {heat.partitionsPerBucket > 1 && ' (the hottest of them)'}, <Time ms={timeOf(heat, cell.step)} />, for{' '}
          {formatDuration(heat.stepMs)}
        </>
      ) : (
        <span class="quiet">
          Drag a frame to zoom into times and partitions. A click opens the partition
          {heat.partitionsPerBucket > 1 && `; a row is ${heat.partitionsPerBucket} of them, and a click zooms in`}.
        </span>
      )}
    </p>
  );
};

/** What somebody who sees no colours there must know to judge that. */
const Known = ({ heat }: { readonly heat: Heat }) => {
  const endMs = timeOf(heat, heat.steps);
  const isEmpty = heat.values.every((value) => value === null);
  return (
    <>
      {isEmpty && (
        <p class="empty" id="heat-empty">
          Nothing was measured here. Agents report every few seconds; what was read and written shows within ten more.
        </p>
      )}
      {heat.sinceMs > heat.fromMs && (
        <p class="quiet" id="heat-since">
          This control plane measures since <Time ms={heat.sinceMs} />, for{' '}
          {formatDuration(Math.max(0, endMs - heat.sinceMs))}; it knows nothing of before.
        </p>
      )}
      {heat.measuredTogether > 1 && (
        <p class="quiet">{plural(heat.measuredTogether, 'neighbouring partition')} are measured as one.</p>
      )}
    </>
  );
};
