import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Metrics } from '@cadastre/service-kit';
import { parse, stringify } from 'yaml';
import type { Manifest } from '../k8s/kustomize.js';
import { buildFolder, matches, root, workloadsOf } from '../k8s/kustomize.js';
import { ALARMING, HEALTHY } from './scenarios.js';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity: string };
  readonly annotations?: { readonly summary: string; readonly remedy: string; readonly runbook: string };
}
interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}
type Table = Record<string, { readonly name: string; readonly kind: string; readonly labels: readonly string[] }>;
interface Tools {
  readonly metricTables: () => Promise<Record<string, Table>>;
  readonly monitoringFiles: () => Promise<Record<string, string>>;
}
type Emit = (value: number, ...labels: readonly string[]) => void;

const load = createRequire(import.meta.url);
const folder = join(root, 'k8s/components/monitoring');
const work = join(root, '.cadastre', 'monitoring-check');
const read = (path: string): string => readFileSync(path, 'utf8');
const { groups } = parse(read(join(folder, 'alerts.yaml'))) as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const boards = readdirSync(join(folder, 'dashboards')).map(
  (name) => JSON.parse(read(join(folder, 'dashboards', name))) as { uid: string; panels: readonly Panel[] },
);
const shown = boards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)));

let tools: Tools;
let promtool: string;
beforeAll(async () => {
  tools = (await import(join(root, 'tools/monitoring.mjs'))) as Tools;
  promtool = execFileSync(process.execPath, ['tools/promtool.mjs'], { cwd: root, encoding: 'utf8' }).trim();
  mkdirSync(work, { recursive: true });
}, 120_000);

const prometheus = (args: readonly string[], input?: string) => {
  const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: 'utf8', ...(input && { input }) });
  return { status, said: `${stdout}${stderr}` };
};

/** Names that a query can find, with the labels of each. */
const exposed = async (): Promise<Map<string, readonly string[]>> => {
  const names = new Map<string, readonly string[]>();
  for (const table of Object.values(await tools.metricTables()))
    for (const { name, kind, labels } of Object.values(table)) {
      names.set(name, labels);
      if (kind === 'histogram') names.set(`${name}_bucket`, [...labels, 'le']);
    }
  const ofNode = await new Metrics().exposeProcess().text();
  for (const [, name] of ofNode.matchAll(/^# TYPE (\S+)/gm)) names.set(name!, []);
  for (const { record } of rules) if (record) names.set(record, ['kind']);
  // Of programs with the client library, by OpenTelemetry: `cadastre.client.operations`, in libs/client/src/telemetry.ts.
  return names.set('cadastre_client_operations_total', ['effect', 'partitions']);
};

const NAMES = /\b((?:cadastre|nodejs|process)[a-z0-9_:]*)(?:\{([^}]*)\})?/g;

describe('what is made of the tables of metrics and of alerts.yaml', () => {
  // Plan: all files are made anew; they are those that are kept.
  it('is up to date', async () => {
    for (const [path, text] of Object.entries(await tools.monitoringFiles())) expect(read(join(root, path))).toBe(text);
  });

  // Plan: every name in every query of alerts and dashboards is one that a program exposes, and is asked for labels that it has.
  it('names metrics and labels that exist', async () => {
    const names = await exposed();
    const unknown: string[] = [];
    for (const query of [...rules.map(({ expr }) => expr), ...shown])
      for (const [, name, selector = ''] of query.matchAll(NAMES)) {
        const labels = names.get(name!);
        if (!labels) unknown.push(name!);
        for (const [, label] of selector.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"/g))
          if (labels && ![...labels, 'instance', 'job'].includes(label!)) unknown.push(`${name}{${label}}`);
      }
    expect(unknown).toEqual([]);
  });

  // Plan: names, kinds and help of every table go through promtool's own judgement of good form.
  it('has metrics in good form', async () => {
    const metrics = new Metrics();
    for (const table of Object.values(await tools.metricTables())) {
      const flat = Object.entries(table).filter(([, { kind }]) => kind !== 'histogram');
      const readings = flat.map(([key, { labels }]) => [key, (emit: Emit) => emit(1, ...labels)]);
      metrics.expose(Object.fromEntries(flat) as never, Object.fromEntries(readings) as never);
    }
    expect(prometheus(['check', 'metrics'], await metrics.text())).toEqual({ status: 0, said: '' });
  });
});

describe('alerts', () => {
  // Plan: each says what it means, what to do, and where more is, under an anchor that exists.
  it('have a summary, a remedy and a place in the docs', () => {
    const page = read(join(root, 'docs/operations.md'));
    for (const { alert, labels, annotations } of alerts) {
      expect(['critical', 'warning']).toContain(labels!.severity);
      for (const text of [annotations!.summary, annotations!.remedy]) expect(text).toMatch(/[.?]$/);
      expect(annotations!.runbook).toBe(`docs/operations.md#${alert!.toLowerCase()}`);
      expect(page).toContain(`<a id="${alert!.toLowerCase()}"></a>`);
    }
    expect(Object.keys(ALARMING).sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });

  // Plan: Prometheus evaluates all rules over a healthy cluster, where none may be pending, and over one fault for each, where that one fires.
  it('fire at their fault, and at nothing else', () => {
    const test = (series: Readonly<Record<string, string | null>>, at: number, expr: string, samples: object[]) => ({
      interval: '1m',
      input_series: Object.entries(series).flatMap(([name, values]) =>
        values === null ? [] : [{ series: name, values }],
      ),
      promql_expr_test: [{ expr, eval_time: `${at}m`, exp_samples: samples }],
    });
    const faults = Object.entries(ALARMING).map(([alert, { series, at = 60 }]) =>
      test({ ...HEALTHY, ...series }, at, `count(ALERTS{alertname="${alert}", alertstate="firing"})`, [
        { labels: '{}', value: 1 },
      ]),
    );
    const tests = [test(HEALTHY, 60, 'count by (alertname) (ALERTS)', []), ...faults];
    const file = join(work, 'tests.yaml');
    const content = { rule_files: [join(folder, 'alerts.yaml')], evaluation_interval: '5m', tests };
    writeFileSync(file, stringify(content, { lineWidth: 0 }));
    expect(prometheus(['test', 'rules', file])).toMatchObject({ status: 0 });
  }, 60_000);
});

describe('dashboards', () => {
  // Plan: their queries become rules of a file that promtool reads; each board and each of its panels has a name of its own.
  it('ask what Prometheus understands', () => {
    const file = join(work, 'queries.yaml');
    const asked = shown.map((expr, i) => ({ record: `query:${i}`, expr: expr.replaceAll('$__rate_interval', '5m') }));
    writeFileSync(file, stringify({ groups: [{ name: 'shown', rules: asked }] }, { lineWidth: 0 }));
    expect(prometheus(['check', 'rules', file])).toMatchObject({ status: 0 });
    expect(new Set(boards.map(({ uid }) => uid)).size).toBe(3);
    for (const { panels } of boards) expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });
});

describe('the component for the Prometheus operator', () => {
  // Plan: it builds on the base; its objects fit the operator's schemas; the monitors find our pods and a port that they have.
  it('builds, and finds what is to be scraped', () => {
    const mine = join(root, '.cadastre', 'k8s-check', 'monitored');
    mkdirSync(mine, { recursive: true });
    const lines = ['resources: [../../../k8s/base]', 'components: [../../../k8s/components/monitoring]'];
    writeFileSync(join(mine, 'kustomization.yaml'), `${lines.join('\n')}\nnamespace: cadastre\n`);
    const manifests = buildFolder('.cadastre/k8s-check/monitored');
    const ours = manifests.filter((m) => m.apiVersion === 'monitoring.coreos.com/v1');
    expect(ours.map((m) => m.kind).sort()).toEqual(['PodMonitor', 'PodMonitor', 'PodMonitor', 'PrometheusRule']);
    for (const { apiVersion, kind, ...data } of ours) {
      const path = `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`;
      const model = load(path) as Record<string, new (data: object) => { validate(): void }>;
      expect(() => new model[kind]!(data).validate()).not.toThrow();
    }
    const rule = ours.find((m) => m.kind === 'PrometheusRule')!;
    expect((rule.spec as unknown as { groups: unknown }).groups).toEqual(groups);
    const found = ours.filter((m) => m.kind === 'PodMonitor').flatMap((monitor) => scraped(monitor, manifests));
    expect(found.sort()).toEqual(['cadastre-agents', 'cadastre-control-plane', 'cadastre-router']);
  });
});

const scraped = ({ spec }: Manifest, manifests: readonly Manifest[]): string[] => {
  const { podMetricsEndpoints } = spec as unknown as { podMetricsEndpoints: readonly { port: string }[] };
  const [{ port } = { port: '' }] = podMetricsEndpoints;
  return workloadsOf(manifests)
    .filter((w) => matches(spec!.selector, w.spec!.template!.metadata.labels))
    .filter((w) => w.spec!.template!.spec.containers.some((c) => c.ports?.some((p) => p.name === port)))
    .map((w) => w.metadata.name);
};
