import type { Heat, Metric } from '../model/api.types.js';
import { formatBytes } from '../model/format.js';
import { link } from '../model/route.js';
import { formatFigure } from './heat-model.js';

const TITLES: Readonly<Record<Metric, string>> = {
  reads: 'by reads',
  writes: 'by writes',
  bytes: 'by bytes',
  p99: 'by latency',
};

/** The same in words: which partitions to look at first. */
export const HottestTable = ({ heat }: { readonly heat: Heat }) => {
  if (heat.hottest.length === 0) return null;
  return (
    <div id="hottest">
      <h3 class="sub">
        Hottest {TITLES[heat.metric]}{' '}
        <span class="quiet">
          {heat.metric === 'p99' ? 'highest' : 'mean'} of all: {formatFigure(heat.metric, heat.mean)}
        </span>
      </h3>
      <div class="scroll" tabIndex={0} role="region" aria-label="Hottest partitions">
        <table>
          <thead>
            <tr>
              {['partition', 'leader', 'reads', 'writes', 'bytes', 'p99, at worst'].map((head, i) => (
                <th key={head} scope="col" class={i > 1 ? 'num' : undefined}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {heat.hottest.map((hot) => (
              <tr key={hot.partition}>
                <th scope="row">
                  <a href={`${link('keyspaces', heat.keyspace)}?partition=${hot.partition}`}>
                    {heat.keyspace}/{hot.partition}
                  </a>
                </th>
                <td data-label="leader">{hot.leader || 'none'}</td>
                <td data-label="reads" class="num">
                  {formatFigure('reads', hot.readsPerSecond)}
                </td>
                <td data-label="writes" class="num">
                  {formatFigure('writes', hot.writesPerSecond)}
                </td>
                <td data-label="bytes" class="num">
                  {formatBytes(hot.bytes)}
                </td>
                <td data-label="p99, at worst" class="num">
                  {formatFigure('p99', hot.p99Ms)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
};
