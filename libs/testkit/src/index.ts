export * from './checkers/index.js';
export * from './etcd.js';
export * from './tcp-proxy.js';
export * from './cluster.js';
export * from './process.js';
export * from './workload.js';
export * from './sim/index.js';
export * from './until.js';
