import { compareStrings } from '../../bytes.js';
import type { NodeEntry } from '../../map/records.js';
import { domainOf } from '../../placement/domains.js';

/** What may be lost at once: single nodes, or all that share a value of a label. */
export interface DomainKind {
  /** `node`, or the label. */
  readonly label: string;
  readonly names: readonly string[];
  /** Node index to domain index. */
  readonly of: Int32Array;
}

type LossNode = Pick<NodeEntry, 'id' | 'labels'>;

/** Wide before narrow. Labels that a policy spreads over come after these. */
const USUAL_LABELS = ['region', 'zone', 'rack', 'host'];

/**
 * Nodes, and every label whose loss is another event than that of a single node.
 * @param spread labels that policies name
 */
export const failureDomains = (nodes: readonly LossNode[], spread: readonly string[]): DomainKind[] => {
  const labels = [...new Set([...USUAL_LABELS, ...[...spread].sort(compareStrings)])];
  const carried = labels.filter((label) => nodes.some((n) => n.labels[label] !== undefined));
  return [nodesThemselves(nodes), ...carried.map((label) => kindOf(nodes, label)).filter((k) => groups(k, nodes))];
};

const nodesThemselves = (nodes: readonly LossNode[]): DomainKind => ({
  label: 'node',
  names: nodes.map((n) => n.id),
  of: Int32Array.from(nodes, (_, i) => i),
});

const kindOf = (nodes: readonly LossNode[], label: string): DomainKind => {
  const domains = nodes.map((n) => domainOf(n, label));
  const names = [...new Set(domains)].sort(compareStrings);
  const index = new Map(names.map((name, i) => [name, i]));
  return { label, names, of: Int32Array.from(domains, (d) => index.get(d)!) };
};

const groups = (kind: DomainKind, nodes: readonly LossNode[]): boolean => kind.names.length < nodes.length;
