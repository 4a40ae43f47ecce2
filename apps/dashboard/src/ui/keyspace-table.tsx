import type { Keyspace, Scheme } from '../model/api.types.js';
import { formatCount, formatGeneration, plural, type Tone } from '../model/format.js';
import { link } from '../model/route.js';
import { Flag } from './parts.js';

export const schemeText = (scheme: Scheme): string => {
  if (scheme.kind === 'range') return `range, ${plural(scheme.splitPoints?.length ?? 0, 'split point')}`;
  if (scheme.kind === 'hash-slots') return `${scheme.hash} slots${scheme.hashTags ? ', hash tags' : ''}`;
  if (scheme.kind === 'hash-range') return `${plural(scheme.partitions ?? 0, 'range')} of ${scheme.hash}`;
  if (scheme.kind === 'ring') return `${scheme.hash} ring of ${plural(scheme.nodes?.length ?? 0, 'node')}`;
  return `directory of ${plural(scheme.entries?.length ?? 0, 'entry', 'entries')}`;
};

const spreadText = (spread: Keyspace['spec']['spread']): string =>
  spread.length === 0
    ? 'anywhere'
    : spread.map((s) => `${s.maxPerDomain} a ${s.label}${s.hard ? '' : ' (wish)'}`).join(', ');

const Problem = ({ label, count, tone }: { readonly label: string; readonly count: number; readonly tone: Tone }) => (
  <td data-label={label} class="num">
    {count === 0 ? <span class="quiet">0</span> : <Flag tone={tone}>{formatCount(count)}</Flag>}
  </td>
);

const Row = ({ keyspace }: { readonly keyspace: Keyspace }) => {
  const { spec, generation, partitions, underReplicated, withoutLeader, moving } = keyspace;
  return (
    <tr>
      <th scope="row">
        <a href={link('keyspaces', spec.name)}>{spec.name}</a>
      </th>
      <td data-label="partitions" class="num">
        {formatCount(partitions)}
      </td>
      <td data-label="scheme">{schemeText(spec.scheme)}</td>
      <td data-label="copies" class="num" title="copies, and how many must have a write before it is acknowledged">
        {spec.replicationFactor}, {spec.minInSync} to write
      </td>
      <td data-label="spread">{spreadText(spec.spread)}</td>
      <Problem label="under-replicated" count={underReplicated} tone="warn" />
      <Problem label="without leader" count={withoutLeader} tone="bad" />
      <Problem label="moving" count={moving} tone="run" />
      <td data-label="generation" class="num mono">
        {formatGeneration(generation)}
      </td>
    </tr>
  );
};

const HEADS = [
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
const NUMERIC = new Set([1, 3, 5, 6, 7, 8]);

export const KeyspaceTable = ({ keyspaces }: { readonly keyspaces: readonly Keyspace[] }) =>
  keyspaces.length === 0 ? (
    <p class="empty">
      There is no keyspace yet. Make one:{' '}
      <code>cadastre keyspace create orders --partitions 256 --rf 3 --spread zone=1</code>
    </p>
  ) : (
    <div class="scroll" tabIndex={0} role="region" aria-label="Keyspaces">
      <table>
        <thead>
          <tr>
            {HEADS.map((text, i) => (
              <th key={text} scope="col" class={NUMERIC.has(i) ? 'num' : undefined}>
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {keyspaces.map((keyspace) => (
            <Row key={keyspace.spec.name} keyspace={keyspace} />
          ))}
        </tbody>
      </table>
    </div>
  );
