export type { CheckVerdict, PlacementCheck } from './check.js';
export { CHECK_VERDICTS } from './check.js';
export * from './why.js';
