export * from './engine.js';
export { LmdbEngine, type LmdbEngineOptions } from './lmdb/lmdb-engine.js';
export { MemoryDisk, type MemoryDiskOptions } from './memory/memory-disk.js';
export { MemoryEngine, type MemoryEngineOptions } from './memory/memory-engine.js';
