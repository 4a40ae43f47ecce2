import type { Manifest, Peer, Rule } from './kustomize.js';
import { APPS, matches, workloadsOf } from './kustomize.js';

/** `agent > control plane : 7400` */
export type Edge = string;

const edge = (from: string, to: string, port: number): Edge => `${from} > ${to} : ${port}`;

const OUTSIDE: Readonly<Record<string, string>> = {
  'cadastre.io/client': 'client',
  'cadastre.io/operator': 'operator',
  'cadastre.io/monitoring': 'monitoring',
  'k8s-app': 'DNS',
};

/** Who a peer of a rule is: apps of ours, or a word for those outside. */
const namesOf = (peer: Peer, apps: ReadonlyMap<string, Record<string, string>>): string[] => {
  if (peer.ipBlock) return ['etcd outside'];
  const labels = peer.podSelector?.matchLabels ?? {};
  const outside = Object.keys(labels)
    .map((label) => OUTSIDE[label])
    .find((name) => name !== undefined);
  if (outside !== undefined) return [outside];
  return [...apps].filter(([, own]) => matches(peer.podSelector, own)).map(([app]) => app);
};

/**
 * Which connections the policies let through. What lies inside needs both sides: whoever opens it and whoever takes it.
 * `halves` are those where only one side agrees, which is a mistake.
 */
export const edgesOf = (manifests: readonly Manifest[]): { edges: Set<Edge>; halves: string[] } => {
  const apps = new Map(
    workloadsOf(manifests).map((w) => {
      const { labels } = w.spec!.template!.metadata;
      return [APPS[labels['app.kubernetes.io/name']!]!, labels];
    }),
  );
  const out = new Set<Edge>();
  const into = new Set<Edge>();
  const add = (rules: readonly Rule[], side: 'from' | 'to', note: (other: string, port: number) => void): void => {
    for (const rule of rules)
      for (const { port } of rule.ports ?? [])
        for (const name of rule[side]?.flatMap((peer) => namesOf(peer, apps)) ?? ['any address']) note(name, port);
  };
  for (const { spec } of manifests.filter((m) => m.kind === 'NetworkPolicy')) {
    const everybody = Object.keys(spec!.podSelector?.matchLabels ?? {}).length === 0;
    const chosen = everybody
      ? ['everybody']
      : [...apps].filter(([, l]) => matches(spec!.podSelector, l)).map(([a]) => a);
    for (const app of chosen) {
      add(spec!.ingress ?? [], 'from', (other, port) => into.add(edge(other, app, port)));
      add(spec!.egress ?? [], 'to', (other, port) => out.add(edge(app, other, port)));
    }
  }
  const isInside = (e: Edge): boolean =>
    e
      .split(/ [>:] /)
      .slice(0, 2)
      .every((name) => apps.has(name));
  const halves = [...out, ...into].filter((e) => isInside(e) && !(out.has(e) && into.has(e)));
  return { edges: new Set([...out, ...into]), halves };
};

/** The table of docs/operations.md: from, to, ports, overlays, reason. */
export const documentedEdges = (page: string, overlay: string): Set<Edge> => {
  const table = page.split('<!-- who talks to whom -->')[1]?.split('<!-- end -->')[0] ?? '';
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| from') && !line.startsWith('| ---'));
  const edges = rows.flatMap((row) => {
    const [from, to, ports, where] = row
      .split('|')
      .slice(1, 5)
      .map((cell) => cell.trim()) as [string, string, string, string];
    if (where !== 'all' && !where.split(', ').includes(overlay)) return [];
    return ports.split(', ').map((port) => edge(from, to, Number(port)));
  });
  return new Set(edges);
};
