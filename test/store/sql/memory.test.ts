import { openMemoryStore } from '../../../src/store/sql/memory.ts';
import { storeContract } from '../contract.ts';

storeContract('memory', async (options) => openMemoryStore({ maxSubjects: 1000, ...options }));
