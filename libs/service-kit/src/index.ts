export * from './common-settings.js';
export * from './flags.js';
export * from './help.js';
export * from './logger.js';
export * from './shutdown.js';
