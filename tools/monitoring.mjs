// Writes what follows from the tables of metrics and from k8s/components/monitoring/alerts.yaml: the PrometheusRule, the Grafana dashboards,
// docs/metrics.md and the table of alerts in docs/operations.md. `node tools/monitoring.mjs`; needs a build.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse, stringify } from 'yaml';
import { dashboards } from './support/dashboards.mjs';
import { writeIfChanged } from './support/files.mjs';
import { isMain, root } from './support/paths.mjs';

const FOLDER = 'k8s/components/monitoring';
const load = (path) => import(pathToFileURL(join(root, path)).href);

/** The tables by the title of their chapter. */
export async function metricTables() {
  const { AGENT_METRICS } = await load('apps/storage-agent/dist/metrics/agent-metrics.js');
  const { CONTROL_PLANE_METRICS } = await load('apps/control-plane/dist/metrics/control-plane-metrics.js');
  const { ROUTER_METRICS } = await load('apps/router/dist/router-metrics.js');
  const { PROCESS_METRICS } = await load('libs/service-kit/dist/index.js');
  return {
    'Every program': PROCESS_METRICS,
    'Storage agent': AGENT_METRICS,
    'Control plane': CONTROL_PLANE_METRICS,
    Router: ROUTER_METRICS,
  };
}

/** Each with `alert`, `expr`, `for`, `labels` and `annotations`, in the order of the file. */
export const readGroups = () => parse(readFileSync(join(root, FOLDER, 'alerts.yaml'), 'utf8')).groups;

/** Path and content of every file that is made. */
export async function monitoringFiles() {
  const groups = readGroups();
  return {
    [`${FOLDER}/prometheus-rule.yaml`]: prometheusRule(groups),
    ...Object.fromEntries(
      Object.entries(dashboards).map(([name, board]) => [
        `${FOLDER}/dashboards/${name}`,
        `${JSON.stringify(board, undefined, 2)}\n`,
      ]),
    ),
    'docs/metrics.md': metricsPage(await metricTables()),
    'docs/operations.md': withAlerts(readFileSync(join(root, 'docs/operations.md'), 'utf8'), groups),
  };
}

function prometheusRule(groups) {
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'cadastre' },
    spec: { groups },
  };
  return `# Written by \`node tools/monitoring.mjs\` from alerts.yaml.\n${stringify(rule, { lineWidth: 0 })}`;
}

const HEAD = `# Metrics

Written by \`node tools/monitoring.mjs\` from the tables that the programs expose at \`--metrics-listen\`. Names and units follow Prometheus: seconds,
bytes, \`_total\` for what only grows. Labels are bounded: by keyspaces, nodes, kinds, codes, states. No series has a partition as its label: the
largest and the hottest are told by rank, 1 to 10, with the number of the partition as the value of a second metric.

Beside these, every program has those of [prom-client](https://github.com/siimon/prom-client) for Node: \`process_*\` and \`nodejs_*\`, among them
\`nodejs_eventloop_lag_p99_seconds\`. Programs with the client library have \`cadastre_client_*\` where they give it a meter of OpenTelemetry
([architecture](architecture.md)). What each alert means: [operations](operations.md#metrics-and-alerts).
`;

function metricsPage(tables) {
  const chapters = Object.entries(tables).map(([title, table]) => {
    const rows = Object.values(table).map(({ name, kind, labels, help }) => [
      `\`${name}\``,
      kind,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ]);
    return `\n## ${title}\n\n${tableOf(['metric', 'kind', 'labels', 'what it says'], rows)}`;
  });
  return `${HEAD}${chapters.join('')}`;
}

const BEGIN = '<!-- alerts -->\n';
const END = '<!-- end of alerts -->';

function withAlerts(page, groups) {
  const [before, rest] = page.split(BEGIN);
  if (rest === undefined) throw new Error(`docs/operations.md has no ${BEGIN}`);
  const rows = groups.flatMap(({ rules }) =>
    rules
      .filter(({ alert }) => alert)
      .map(({ alert, labels, annotations, for: lasts = '0s' }) => [
        `<a id="${alert.toLowerCase()}"></a>${alert}`,
        `${labels.severity}, ${lasts}`,
        plain(annotations.summary),
        plain(annotations.remedy),
      ]),
  );
  return `${before}${BEGIN}${tableOf(['alert', 'after', 'means', 'do'], rows)}${END}${rest.split(END)[1]}`;
}

/** For people: `{{ $labels.keyspace }}` is a KEYSPACE. */
const plain = (text) =>
  text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => label.toUpperCase()).replace(/\{\{ \$value[^}]*\}\}/g, 'N');

function tableOf(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}

if (isMain(import.meta.url))
  for (const [path, text] of Object.entries(await monitoringFiles())) writeIfChanged(join(root, path), text);
