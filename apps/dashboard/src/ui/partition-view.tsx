import { useState } from 'preact/hooks';
import { get, path } from '../model/api.js';
import type { Replica, Why } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { byNumber } from '../model/format.js';
import { world } from '../model/store.js';
import { Banner, Cli, Flag } from './parts.js';
import { useData } from './use-data.js';

interface Props {
  readonly keyspace: string;
  readonly partition: number;
  readonly replicas: readonly Replica[];
}

export const ReplicaTable = ({ keyspace, partition, replicas }: Props) => {
  const [asked, setAsked] = useState('');
  const others = (world.value?.nodes ?? [])
    .map((n) => n.id)
    .filter((id) => !replicas.some((r) => r.node === id))
    .sort(byNumber);
  return (
    <div>
      <table class="replicas">
        <thead>
          <tr>
            {['node', 'role', 'state', 'in sync', ''].map((head) => (
              <th key={head} scope="col">
                {head || <span class="hidden">why</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {replicas.map((r) => (
            <tr key={r.node}>
              <th scope="row">{r.node}</th>
              <td data-label="role">{r.role}</td>
              <td data-label="state">{r.state}</td>
              <td data-label="in sync">{r.inSync ? 'yes' : <Flag tone="warn">no</Flag>}</td>
              <td>
                <button type="button" class="small" onClick={() => setAsked(r.node)}>
                  Why {r.node}?
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {others.length > 0 && (
        <label class="quiet">
          Why not on{' '}
          <select value={asked} onChange={(e) => setAsked(e.currentTarget.value)}>
            <option value="">another node…</option>
            {others.map((id) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        </label>
      )}
      {asked !== '' && <WhyView keyspace={keyspace} partition={partition} node={asked} />}
    </div>
  );
};

const toneOf = (verdict: string) => (verdict === 'fail' ? 'bad' : verdict === 'pass' ? 'good' : 'warn');

/** Which rule decided that a partition is on a node, or is not. */
export const WhyView = ({ keyspace, partition, node }: { keyspace: string; partition: number; node: string }) => {
  const key = `${keyspace}/${partition}/${node}`;
  const { data, error } = useData(key, () =>
    get<Why>(path`/api/v1/keyspaces/${keyspace}/partitions/${partition}/why/${node}`),
  );
  if (error && !data) return <Banner tone="bad">{error}</Banner>;
  if (!data) return null;
  return (
    <div class="why" id="why" aria-live="polite">
      <p>
        <strong>{data.node}</strong>: {data.because}
      </p>
      <ul class="checks">
        {data.checks.map((check) => (
          <li key={`${check.rule} ${check.text}`}>
            <Flag tone={toneOf(check.verdict)}>{check.verdict}</Flag> <span>{check.text}</span>
          </li>
        ))}
      </ul>
      <Cli commands={[command('plan', 'why', keyspace, String(partition), node)]} />
    </div>
  );
};
