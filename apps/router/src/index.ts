export { KvFront } from './kv-front.js';
export { startRouter, type Router, type RouterConfig } from './router.js';
