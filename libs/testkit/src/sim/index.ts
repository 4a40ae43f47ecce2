export * from './disks.js';
export * from './etcd-model.js';
export * from './links.js';
export * from './network.js';
export * from './process.js';
export * from './scheduler.js';
