export { startAgent, type Agent } from './agent.js';
export type { AgentConfig } from './agent-config.js';
export { crc32c } from './crc32c.js';
export { Gate, type Admitted, type GateOptions, type Target } from './gate.js';
