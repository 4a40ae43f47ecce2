export * from './log-index.js';
export * from './recent-requests.js';
export * from './replica.machine.js';
export * from './replication-types.js';
