export * from './channels.js';
export * from './codecs/map.codec.js';
export * from './codecs/records.codec.js';
export * from './proto.js';
export * from './server.js';
export * from './shared-message.js';
export * from './status.js';
export * from './transport.js';
export type * as Wire from './generated/index.js';
