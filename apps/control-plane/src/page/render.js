import { bar, byId, chip, formatBytes, formatCount, h, plural, renderWhenChanged, setText } from './dom.js';

/** `Healthy…` is the server's word; anything else is a sentence about what is wrong. */
export const toneOfHealth = (health) =>
  health.startsWith('Healthy')
    ? /waits|is (approved|executing|paused)/.test(health)
      ? 'ask'
      : 'good'
    : /^No controller|no live/.test(health)
      ? 'bad'
      : 'warn';

const fact = (name, value, title) => h('div', { title }, h('dt', {}, name), h('dd', {}, value));

export const renderHealth = (status) => {
  byId('health').dataset.tone = toneOfHealth(status.health);
  setText(byId('health-text'), status.health);
  setText(byId('cluster'), status.clusterId);
  setText(byId('foot'), `served by ${status.replica}`);
  const facts = [
    ['nodes up', `${status.nodesUp} of ${status.nodesTotal}`],
    ['keyspaces', formatCount(status.keyspaces.length)],
    ['partitions', formatCount(status.keyspaces.reduce((sum, k) => sum + k.partitions, 0))],
    ['watchers', formatCount(status.watchers), 'clients and agents that watch the map at this replica'],
    ['active controller', status.active ? `${status.active}, term ${status.term}` : 'none', status.activeAddress],
    ['this replica', status.replica],
    ['etcd', status.etcdVersion || 'unknown'],
  ];
  renderWhenChanged(byId('facts'), facts, () => facts.map(([name, value, title]) => fact(name, value, title)));
};

const groupBy = (items, keyOf) => {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
};

const MEASURES = [
  { name: 'replicas', of: (node) => node.replicas, show: formatCount, tone: 'a' },
  { name: 'leaders', of: (node) => node.leaders, show: formatCount, tone: 'b' },
  { name: 'data', of: (node) => node.bytes, show: formatBytes, tone: 'c' },
];

/** Bars of one measure share a scale; the fair share goes by weight over the nodes that are up. */
const scales = (nodes) => {
  const up = nodes.filter((n) => n.state === 'up');
  const weight = up.reduce((sum, n) => sum + n.weight, 0);
  return MEASURES.map(({ of }) => ({
    most: Math.max(1, ...nodes.map(of)),
    perWeight: weight > 0 ? nodes.reduce((sum, n) => sum + of(n), 0) / weight : 0,
  }));
};

const measure = (node, { name, of, show, tone }, { most, perWeight }) => {
  const fair = node.state === 'up' && perWeight > 0 ? (perWeight * node.weight) / most : undefined;
  return h(
    'div',
    { class: 'measure' },
    h('span', { class: 'measure-name' }, name),
    bar(of(node) / most, tone, fair),
    h('span', { class: 'measure-value' }, show(of(node))),
  );
};

const nodeCard = (node, scale, onDrain) =>
  h(
    'li',
    { class: 'node', 'data-state': node.state },
    h(
      'div',
      { class: 'node-head' },
      h('strong', {}, node.id),
      chip(node.state),
      h('span', { class: 'quiet mono node-address', title: node.address }, node.address),
      node.allowedActions.map((action) =>
        h(
          'button',
          {
            class: 'small',
            type: 'button',
            title: `cadastre node drain ${node.id}${action === 'undrain' ? ' --undo' : ''}`,
            'aria-label': `${action} ${node.id}`,
            on: { click: () => onDrain(node, action) },
          },
          action === 'undrain' ? 'Keep' : 'Drain',
        ),
      ),
    ),
    h(
      'div',
      { class: 'measures' },
      MEASURES.map((m, i) => measure(node, m, scale[i])),
    ),
  );

const rackGroup = ([rack, nodes], scale, onDrain) =>
  h(
    'div',
    { class: 'rack' },
    rack !== '' && h('h4', {}, rack),
    h(
      'ul',
      { class: 'node-list' },
      nodes.map((n) => nodeCard(n, scale, onDrain)),
    ),
  );

const zoneCard = ([zone, nodes], scale, onDrain) => {
  const up = nodes.filter((n) => n.state !== 'down').length;
  return h(
    'div',
    { class: 'zone' },
    h('h3', {}, zone === '' ? 'no zone' : zone, h('span', { class: 'quiet' }, ` ${up} of ${nodes.length} up`)),
    groupBy(nodes, (n) => n.labels.rack ?? '').map((rack) => rackGroup(rack, scale, onDrain)),
  );
};

export const renderNodes = (nodes, onDrain) => {
  setText(byId('nodes-count'), nodes.length === 0 ? '' : plural(nodes.length, 'node'));
  byId('nodes-legend').hidden = nodes.length === 0;
  renderWhenChanged(byId('zones'), nodes, () => {
    if (nodes.length === 0)
      return h(
        'p',
        { class: 'empty' },
        'No node has registered yet. A storage agent registers itself when it starts: ',
        h('code', {}, 'cadastre up'),
        ' starts a whole cluster on this machine.',
      );
    const scale = scales(nodes);
    return groupBy(nodes, (n) => n.labels.zone ?? '').map((zone) => zoneCard(zone, scale, onDrain));
  });
};

const schemeText = (scheme) => {
  if (scheme.kind === 'range') return `range, ${plural(scheme.splitPoints.length, 'split point')}`;
  if (scheme.kind === 'hash-slots') return `${scheme.hash} slots${scheme.hashTags ? ', hash tags' : ''}`;
  if (scheme.kind === 'hash-range') return `${plural(scheme.partitions, 'range')} of ${scheme.hash}`;
  if (scheme.kind === 'ring') return `${scheme.hash} ring of ${plural(scheme.nodes.length, 'node')}`;
  return `directory of ${scheme.entries.length} over ${schemeText(scheme.fallback)}`;
};

const spreadText = (spread) =>
  spread.length === 0
    ? 'anywhere'
    : spread.map((s) => `${s.maxPerDomain} a ${s.label}${s.hard ? '' : ' (wish)'}`).join(', ');

const problemCell = (label, count, tone) =>
  h(
    'td',
    { 'data-label': label, class: 'num' },
    count === 0
      ? h('span', { class: 'quiet' }, '0')
      : h('span', { class: 'flag', 'data-tone': tone }, formatCount(count)),
  );

const keyspaceRow = ({ spec, generation, partitions, underReplicated, withoutLeader, moving }) =>
  h(
    'tr',
    {},
    h('th', { scope: 'row' }, spec.name),
    h('td', { 'data-label': 'partitions', class: 'num' }, formatCount(partitions)),
    h('td', { 'data-label': 'scheme' }, schemeText(spec.scheme)),
    h(
      'td',
      {
        'data-label': 'copies',
        class: 'num',
        title: 'replication factor, and how many must have a write before it is acknowledged',
      },
      `${spec.replicationFactor}, ${spec.minInSync} to write`,
    ),
    h('td', { 'data-label': 'spread' }, spreadText(spec.spread)),
    problemCell('under-replicated', underReplicated, 'warn'),
    problemCell('without leader', withoutLeader, 'bad'),
    problemCell('moving', moving, 'run'),
    h('td', { 'data-label': 'generation', class: 'num mono' }, `${generation.incarnation}.${generation.number}`),
  );

export const renderKeyspaces = (keyspaces) => {
  setText(byId('keyspaces-count'), keyspaces.length === 0 ? '' : plural(keyspaces.length, 'keyspace'));
  renderWhenChanged(byId('keyspace-table'), keyspaces, () => {
    if (keyspaces.length === 0)
      return h(
        'p',
        { class: 'empty' },
        'There is no keyspace yet. Make one: ',
        h('code', {}, 'cadastre keyspace create orders --partitions 256 --rf 3 --spread zone=1'),
      );
    const heads = [
      'keyspace',
      'partitions',
      'scheme',
      'copies',
      'spread',
      'under-replicated',
      'without leader',
      'moving',
      'generation',
    ];
    const numeric = new Set([1, 3, 5, 6, 7, 8]);
    return h(
      'div',
      { class: 'scroll' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            heads.map((text, i) => h('th', { scope: 'col', class: numeric.has(i) ? 'num' : undefined }, text)),
          ),
        ),
        h('tbody', {}, keyspaces.map(keyspaceRow)),
      ),
    );
  });
};
