export type { AlreadyLost, DomainRisk, WorstLoss } from './risk-board.js';
export * from './rehearse.js';
export * from './duration.js';
