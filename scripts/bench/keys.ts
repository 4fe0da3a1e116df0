import { hash } from 'node:crypto';
import { mintKey } from '../../src/core/api-key.ts';

/** The key of a number: the same in the server that knows it and in the load that sends it. */
export function benchKey(at: number): string {
  const bytes = hash('sha512', `${at}`, 'buffer');
  return mintKey('pst_', Buffer.concat([bytes, hash('sha512', bytes, 'buffer')]));
}
