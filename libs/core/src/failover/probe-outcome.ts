/**
 * What one place found when it called a node. `answered`: that node, in that incarnation. `refused`: its host answers and no such
 * process is there. `silent`: nothing came in time. `unsure`: the one that was to look could not be asked, or stood still itself.
 */
export const PROBE_OUTCOMES = ['answered', 'refused', 'silent', 'unsure'] as const;
export type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];
