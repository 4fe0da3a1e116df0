import { openMemoryStore } from '../../../src/store/sql/memory.ts';
import { countingStoreContract } from '../contract.ts';

countingStoreContract('memory', async (options) =>
  openMemoryStore({ maxSubjects: 1000, ...options }),
);
