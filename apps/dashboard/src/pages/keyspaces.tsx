import { useMemo, useState } from 'preact/hooks';
import { buildGrid, FLAG, filterGrid, type GridModel, markHot } from '../grid/grid-model.js';
import { GridCanvas } from '../grid/grid-canvas.js';
import { HOT_TIMES, hotOf, useHeats } from '../heat/hot.js';
import { get, path } from '../model/api.js';
import type { Keyspace, Partition, PartitionPage } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { byNumber, formatCount, formatGeneration, plural } from '../model/format.js';
import { link, route } from '../model/route.js';
import { world } from '../model/store.js';
import { KeyspaceTable } from '../ui/keyspace-table.js';
import { ReplicaTable } from '../ui/partition-view.js';
import { Banner, Choice, Cli, Loading, Panel } from '../ui/parts.js';
import { useData } from '../ui/use-data.js';

const PAGE = 8_192;

const loadPartitions = async (keyspace: string): Promise<Partition[]> => {
  const found: Partition[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page: PartitionPage = await get<PartitionPage>(
      `${path`/api/v1/keyspaces/${keyspace}/partitions`}?from=${from}&limit=${PAGE}`,
    );
    found.push(...page.partitions);
    from = page.next;
  }
  return found;
};

export const Keyspaces = () => {
  const [name] = route.value.rest;
  const all = world.value?.status.keyspaces;
  if (!all) return <Loading />;
  if (name === undefined)
    return (
      <Panel id="keyspaces" title="Keyspaces">
        <KeyspaceTable keyspaces={all} />
        <Cli commands={['cadastre keyspace list']} />
      </Panel>
    );
  const keyspace = all.find((k) => k.spec.name === name);
  if (!keyspace) return <Banner tone="bad">There is no keyspace {name}.</Banner>;
  return <KeyspacePage key={name} keyspace={keyspace} />;
};

const SHOWS = [
  { value: 'all', text: 'all partitions', flags: 0 },
  { value: 'moving', text: 'moving', flags: FLAG.moving },
  { value: 'under-replicated', text: 'under-replicated', flags: FLAG.underReplicated },
  { value: 'hot', text: 'hot', flags: FLAG.hot },
  { value: 'without-leader', text: 'without a leader', flags: FLAG.withoutLeader },
];

const LEGEND = [
  ['leader', 'leader'],
  ['follower', 'follower'],
  ['behind', 'not in sync'],
  ['arriving', 'copy arrives'],
  ['leaving', 'copy leaves'],
] as const;

const Legend = () => (
  <ul class="cells" aria-label="What the cells mean">
    {LEGEND.map(([name, text]) => (
      <li key={name}>
        <span class="cell" data-cell={name} /> {text}
      </li>
    ))}
  </ul>
);

interface Filter {
  readonly node: string;
  readonly zone: string;
  readonly show: string;
}

const Filters = ({
  grid,
  filter,
  onChange,
}: {
  grid: GridModel;
  filter: Filter;
  onChange: (filter: Filter) => void;
}) => {
  const any = (words: string) => ['', words] as const;
  const zones = [...new Set(grid.zones)].filter(Boolean).sort(byNumber);
  return (
    <>
      <Choice
        id="grid-show"
        text="show"
        value={filter.show}
        options={SHOWS.map((s) => [s.value, s.text] as const)}
        onChoose={(show) => onChange({ ...filter, show })}
      />
      <Choice
        id="grid-node"
        text="held by"
        value={filter.node}
        options={[any('any node'), ...grid.nodes.map((n) => [n, n] as const)]}
        onChoose={(node) => onChange({ ...filter, node })}
      />
      <Choice
        id="grid-zone"
        text="in"
        value={filter.zone}
        options={[any('any zone'), ...zones.map((z) => [z, z] as const)]}
        onChoose={(zone) => onChange({ ...filter, zone })}
      />
    </>
  );
};

const usePartition = (): [number | undefined, (partition: number) => void] => {
  const asked = route.value.query.get('partition');
  const select = (partition: number) => {
    const base = link('keyspaces', route.value.rest[0] ?? '');
    history.replaceState(null, '', `${base}?partition=${partition}`);
    dispatchEvent(new HashChangeEvent('hashchange'));
  };
  return [asked !== null && /^\d+$/.test(asked) ? Number(asked) : undefined, select];
};

const KeyspacePage = ({ keyspace }: { readonly keyspace: Keyspace }) => {
  const { spec, generation } = keyspace;
  const [filter, setFilter] = useState<Filter>({ node: '', zone: '', show: 'all' });
  const [selected, select] = usePartition();
  const { data, error } = useData(`${spec.name} ${formatGeneration(generation)}`, () => loadPartitions(spec.name));
  const nodes = world.value?.nodes ?? [];
  const layout = nodes.map((n) => `${n.id} ${n.labels['zone']}`).join();
  const cold = useMemo(() => data && buildGrid(data, nodes, spec.replicationFactor), [data, layout]);
  const wantsHot = filter.show === 'hot';
  const { data: heats, error: heatError } = useHeats(spec.name, wantsHot);
  const grid = useMemo(() => cold && (heats ? markHot(cold, hotOf(heats)) : cold), [cold, heats]);
  const flags = SHOWS.find((s) => s.value === filter.show)!.flags;
  const shown = useMemo(() => grid && filterGrid(grid, { ...filter, flags }), [grid, filter.node, filter.zone, flags]);
  return (
    <Panel
      id="keyspace"
      title={spec.name}
      aside={
        <>
          <span class="quiet">
            {plural(keyspace.partitions, 'partition')}, generation {formatGeneration(generation)}
          </span>
          <span class="spacer" />
          {grid && <Filters grid={grid} filter={filter} onChange={setFilter} />}
        </>
      }
    >
      {(error ?? heatError) && <Banner tone="bad">{error ?? heatError}</Banner>}
      {!grid && !error && <Loading />}
      {grid && shown && (
        <>
          <div class="row">
            <Legend />
            <span class="spacer" />
            <span class="quiet" id="grid-count">
              {formatCount(shown.columns.length)} of {plural(grid.partitions, 'partition')}
            </span>
            <GoTo most={grid.partitions} onGo={select} />
          </div>
          {shown.columns.length === 0 ? (
            <p class="empty">{wantsHot && !heats ? 'Loading…' : 'No partition is like that.'}</p>
          ) : (
            <GridCanvas grid={grid} shown={shown} selected={selected} onSelect={select} />
          )}
          {wantsHot && (
            <p class="legend" id="grid-hot">
              Hot: at least {HOT_TIMES} times the mean of reads or of writes in the last ten minutes.{' '}
              <a href={link('heat', spec.name)}>See it over time</a>
            </p>
          )}
          <p class="legend">
            Drag to move, wheel or + and − to zoom, click or arrow keys to choose. Where cells share a pixel, what moves
            shows first, then leaders.
          </p>
        </>
      )}
      {data && selected !== undefined && data[selected] && <Chosen keyspace={spec.name} partition={data[selected]} />}
      <Cli commands={[command('keyspace', wantsHot ? 'heat' : 'show', spec.name)]} />
    </Panel>
  );
};

const GoTo = ({ most, onGo }: { readonly most: number; readonly onGo: (partition: number) => void }) => {
  const [text, setText] = useState('');
  const go = (event: Event) => {
    event.preventDefault();
    if (/^\d+$/.test(text) && Number(text) < most) onGo(Number(text));
  };
  return (
    <form class="row" onSubmit={go}>
      <label class="quiet">
        partition{' '}
        <input
          id="grid-go"
          class="short"
          inputMode="numeric"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
      </label>
      <button type="submit" class="small">
        Go
      </button>
    </form>
  );
};

const Chosen = ({ keyspace, partition }: { readonly keyspace: string; readonly partition: Partition }) => (
  <div id="partition">
    <h3 class="sub">
      {keyspace}/{partition.partition} <span class="quiet">epoch {partition.epoch}</span>
    </h3>
    <ReplicaTable
      key={partition.partition}
      keyspace={keyspace}
      partition={partition.partition}
      replicas={partition.replicas}
    />
  </div>
);
