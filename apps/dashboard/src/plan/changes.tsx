import { useState } from 'preact/hooks';
import type { Node, NodeChange, Plan } from '../model/api.types.js';
import { byNumber, formatCount, plural } from '../model/format.js';
import { changesBy } from '../model/plan-figures.js';
import { Bar } from '../ui/parts.js';

const Delta = ({ before, after }: { readonly before: number; readonly after: number }) => (
  <span class={before === after ? 'delta quiet' : 'delta'}>
    {before === after ? '±0' : `${after > before ? '+' : '−'}${Math.abs(after - before)}`}
  </span>
);

const Cell = ({ label, before, after, most }: { label: string; before: number; after: number; most: number }) => (
  <td data-label={label}>
    <div class="change">
      <span class="change-bars">
        <Bar share={before / most} tone="before" />
        <Bar share={after / most} tone={label === 'replicas' ? 'a' : 'b'} />
      </span>
      <span class="num">
        {formatCount(before)} → {formatCount(after)} <Delta before={before} after={after} />
      </span>
    </div>
  </td>
);

const mostOf = (changes: readonly NodeChange[], of: (change: NodeChange) => number): number =>
  Math.max(1, ...changes.map(of));

/** Before and after, of nodes or of what they lie in. */
export const Changes = ({ plan, nodes }: { readonly plan: Plan; readonly nodes: readonly Node[] }) => {
  const [by, setBy] = useState('node');
  const labels = [...new Set(nodes.flatMap((n) => Object.keys(n.labels)))].sort(byNumber);
  const changes = changesBy(plan, nodes, by === 'node' ? undefined : by);
  if (changes.length === 0) return null;
  const replicas = mostOf(changes, (c) => Math.max(c.replicasBefore, c.replicasAfter));
  const leaders = mostOf(changes, (c) => Math.max(c.leadersBefore, c.leadersAfter));
  return (
    <div id="plan-nodes">
      <div class="panel-head">
        <h3 class="sub">Before and after</h3>
        <span class="quiet">{by === 'node' ? plural(changes.length, 'node') : `${changes.length} of ${by}`}</span>
        <div class="tabs" role="group" aria-label="Before and after by">
          {['node', ...labels].map((label) => (
            <button key={label} type="button" class="small" aria-pressed={by === label} onClick={() => setBy(label)}>
              by {label}
            </button>
          ))}
        </div>
      </div>
      <div class="scroll changes-box" tabIndex={0} role="region" aria-label="Before and after">
        <table class="changes">
          <thead>
            <tr>
              <th scope="col">{by}</th>
              <th scope="col">replicas</th>
              <th scope="col">leaders</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((c) => (
              <tr key={c.node}>
                <th scope="row">{c.node}</th>
                <Cell label="replicas" before={c.replicasBefore} after={c.replicasAfter} most={replicas} />
                <Cell label="leaders" before={c.leadersBefore} after={c.leadersAfter} most={leaders} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
};
