export type { SimulatedInput, SimulatedKeyspace, SimulatedNode, SimulatedPartition } from './input.js';
export { readSimulatedInput } from './input.js';
export * from './result.js';
export type { Question, SimulateOptions } from './simulate.js';
export { explainDocument, parseDocument, simulate } from './simulate.js';
