export type { ControlPlaneConfig, ControlPlaneSettings } from './config.js';
export { completeConfig, parseConfig } from './config.js';
export type { ControlPlane, ControlPlaneDependencies } from './host/control-plane.js';
export { startControlPlane } from './host/control-plane.js';
export type { WatcherView } from './watch/watch-hub.js';
