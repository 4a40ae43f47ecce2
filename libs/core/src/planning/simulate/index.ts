export type { SimulatedInput, SimulatedKeyspace, SimulatedNode, SimulatedPartition } from './input.js';
export { readSimulatedInput } from './input.js';
export * from './result.js';
export type { SimulateOptions } from './simulate.js';
export { parseDocument, simulate } from './simulate.js';
