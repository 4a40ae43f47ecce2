export * from './backoff.js';
export * from './clock.js';
export * from './hash.js';
export * from './logger.js';
export * from './metrics.js';
export * from './random.js';
export * from './process-mark.js';
export * from './tracing.js';
