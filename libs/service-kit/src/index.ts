export * from './flags.js';
export * from './logger.js';
export * from './shutdown.js';
