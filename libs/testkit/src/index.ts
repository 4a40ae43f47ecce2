export * from './etcd.js';
export * from './tcp-proxy.js';
