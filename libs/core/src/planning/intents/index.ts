export * from './deviation.js';
export * from './intents.js';
export * from './intents.machine.js';
export * from './smooth.js';
