export * from './crc16.js';
export * from './murmur3.js';
