import { useState } from 'preact/hooks';
import type { Node } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { byNumber, formatBytes, formatCount, formatShare, plural } from '../model/format.js';
import { may, world } from '../model/store.js';
import { Bar, Chip, Cli, Loading, Panel } from '../ui/parts.js';
import { DrainPanel } from '../ui/drain.js';

const groupBy = (items: readonly Node[], keyOf: (node: Node) => string): [string, Node[]][] => {
  const groups = new Map<string, Node[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups].sort(([a], [b]) => byNumber(a, b));
};

interface Measure {
  readonly name: string;
  readonly of: (node: Node) => number;
  readonly show: (amount: number) => string;
  readonly tone: string;
}
const MEASURES: readonly Measure[] = [
  { name: 'replicas', of: (node) => node.replicas, show: formatCount, tone: 'a' },
  { name: 'leaders', of: (node) => node.leaders, show: formatCount, tone: 'b' },
  { name: 'data', of: (node) => node.bytes, show: formatBytes, tone: 'c' },
];

interface Scale {
  readonly most: number;
  readonly perWeight: number;
}

/** Bars of one measure share a scale; the share goes by weight over the nodes that are up, whatever the placement rules allow. */
const scales = (nodes: readonly Node[]): Scale[] => {
  const up = nodes.filter((n) => n.state === 'up');
  const weight = up.reduce((sum, n) => sum + n.weight, 0);
  return MEASURES.map(({ of }) => ({
    most: Math.max(1, ...nodes.map(of)),
    perWeight: weight > 0 ? nodes.reduce((sum, n) => sum + of(n), 0) / weight : 0,
  }));
};

const MeasureRow = ({ node, measure, scale }: { node: Node; measure: Measure; scale: Scale }) => {
  const fair = node.state === 'up' && scale.perWeight > 0 ? (scale.perWeight * node.weight) / scale.most : undefined;
  return (
    <div class="measure">
      <span class="measure-name">{measure.name}</span>
      <Bar share={measure.of(node) / scale.most} tone={measure.tone} mark={fair} />
      <span class="measure-value">{measure.show(measure.of(node))}</span>
    </div>
  );
};

const diskOf = ({ capacity, bytes }: Node): string => {
  const most = capacity['bytes'] ?? capacity['disk'];
  return most ? `${formatShare(bytes / most)} of ${formatBytes(most)}` : '';
};

interface CardProps {
  readonly node: Node;
  readonly scale: readonly Scale[];
  readonly onDrain: (node: Node) => void;
}

const VERB: Readonly<Record<string, string>> = { drain: 'Drain', undrain: 'Keep' };

const Card = ({ node, scale, onDrain }: CardProps) => (
  <li class="node" data-state={node.state}>
    <div class="node-head">
      <strong>{node.id}</strong>
      <Chip word={node.state} />
      <span class="quiet mono node-address" title={node.address}>
        {node.address}
      </span>
      <span class="quiet">{diskOf(node)}</span>
      {may('control') &&
        node.allowedActions
          .filter((action) => VERB[action])
          .map((action) => (
            <button
              key={action}
              class="small"
              type="button"
              title={command('node', 'drain', node.id, ...(action === 'undrain' ? ['--undo'] : []))}
              aria-label={`${VERB[action]} ${node.id}`}
              onClick={() => onDrain(node)}
            >
              {VERB[action]}
            </button>
          ))}
    </div>
    <div class="measures">
      {MEASURES.map((measure, i) => (
        <MeasureRow key={measure.name} node={node} measure={measure} scale={scale[i]!} />
      ))}
    </div>
  </li>
);

const Zone = ({ zone, nodes, scale, onDrain }: Omit<CardProps, 'node'> & { zone: string; nodes: readonly Node[] }) => (
  <div class="zone">
    <h3>
      {zone || 'no zone'}
      <span class="quiet">
        {' '}
        {nodes.filter((n) => n.state !== 'down').length} of {nodes.length} up
      </span>
    </h3>
    {groupBy(nodes, (n) => n.labels['rack'] ?? '').map(([rack, inRack]) => (
      <div class="rack" key={rack}>
        {rack !== '' && <h4>{rack}</h4>}
        <ul class="node-list">
          {inRack.map((node) => (
            <Card key={node.id} node={node} scale={scale} onDrain={onDrain} />
          ))}
        </ul>
      </div>
    ))}
  </div>
);

const ALL = ['all', 'up', 'draining', 'drained', 'down'];

export const Topology = () => {
  const [chosen, choose] = useState('');
  const [state, setState] = useState('all');
  const nodes = world.value?.nodes;
  if (!nodes) return <Loading />;
  const shown = nodes.filter((n) => state === 'all' || n.state === state);
  const scale = scales(nodes);
  const drained = nodes.find((n) => n.id === chosen);
  return (
    <>
      {drained && <DrainPanel key={chosen} node={drained} onClose={() => choose('')} />}
      <Panel
        id="nodes"
        title="Nodes"
        aside={
          <>
            <span class="quiet">{plural(nodes.length, 'node')}</span>
            <span class="spacer" />
            {nodes.length > 0 && (
              <span class="legend">the mark on a bar is the share by weight, before placement rules</span>
            )}
            <label class="quiet">
              show{' '}
              <select value={state} onChange={(e) => setState(e.currentTarget.value)}>
                {ALL.map((word) => (
                  <option key={word}>{word}</option>
                ))}
              </select>
            </label>
          </>
        }
      >
        <div class="zones" id="zones">
          {nodes.length === 0 && (
            <p class="empty">
              No node has registered yet. A storage agent registers itself when it starts: <code>cadastre up</code>{' '}
              starts a whole cluster on this machine.
            </p>
          )}
          {groupBy(shown, (n) => n.labels['zone'] ?? '').map(([zone, inZone]) => (
            <Zone key={zone} zone={zone} nodes={inZone} scale={scale} onDrain={(node) => choose(node.id)} />
          ))}
        </div>
        <Cli commands={['cadastre node list', 'cadastre node drain NODE']} />
      </Panel>
    </>
  );
};
