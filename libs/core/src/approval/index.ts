export * from './approval-policy.js';
export * from './approval.js';
export * from './windows.js';
