import { systemClock } from '@cadastre/runtime';
import { MemoryDatabase } from './memory-database.js';
import { MemoryStore } from './memory-store.js';
import { describeStoreContract } from '../testing/store-contract.js';

describeStoreContract('memory', async () => {
  const database = new MemoryDatabase(systemClock);
  return {
    connect: () => new MemoryStore({ database, progressPeriodMs: 50 }),
    close: async () => database.close(),
  };
});
