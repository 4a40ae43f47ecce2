import type { KeyspaceSpec, NodeEntry } from '../../map/records.js';
import { domainOf, hardSpread } from '../../placement/domains.js';

/**
 * Copies that stand where a hard constraint allows none, counted apart from the planner: by domains as columns, so that a million
 * partitions take no longer than a glance. Nodes that are not known count for nothing.
 */
export const countViolations = (
  spec: KeyspaceSpec,
  nodes: readonly NodeEntry[],
  replicas: readonly (readonly string[])[],
): number => {
  const index = new Map(nodes.map((n, i) => [n.id, i]));
  let broken = 0;
  for (const { spread } of hardSpread(spec)) {
    const domains = nodes.map((n) => domainOf(n, spread.label));
    for (const row of replicas) {
      const seen = new Map<string, number>();
      for (const node of row) {
        const at = index.get(node);
        if (at === undefined) continue;
        const count = (seen.get(domains[at]!) ?? 0) + 1;
        seen.set(domains[at]!, count);
        if (count > spread.maxPerDomain) broken += 1;
      }
    }
  }
  return broken;
};
