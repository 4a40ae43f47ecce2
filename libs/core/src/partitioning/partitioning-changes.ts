/** Every change of partitioning, as pure functions from table to table. */
export type { PartitioningChange, PartitionTable } from './partition-table.js';
export { changeBetween, partitionTable, shareOfRange } from './partition-table.js';
export * from './changes-directory.js';
export * from './changes-dynamic.js';
export * from './changes-fixed.js';
export * from './changes-proportional.js';
