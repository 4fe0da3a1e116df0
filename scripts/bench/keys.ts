import { hash } from 'node:crypto';
import { hashKey, mintKey, shownPrefix } from '../../src/core/api-key.ts';
import { mintKsuid } from '../../src/core/ksuid.ts';
import type { Write } from '../../src/core/record-store.ts';
import type { StoredKey } from '../../src/core/records.ts';

const PREFIX = 'pst_';
const WORKSPACES = 100_000;
const OWNERS = 50_000;
const KSUID_BYTES = 16;
const DAY_MS = 86_400_000;
/** Keys were made one a second until this moment. */
const LAST_MS = Date.UTC(2026, 10, 1);

/** The key of a number: the same in the server that knows it and in the load that sends it. */
export function benchKey(at: number): string {
  const bytes = hash('sha512', `${at}`, 'buffer');
  return mintKey(PREFIX, Buffer.concat([bytes, hash('sha512', bytes, 'buffer')]));
}

/** The record of a key; of a thousand, one is disabled, one revoked and one expired. */
export function benchRecord(at: number, raw: string, isMixed = false): StoredKey {
  const createdMs = LAST_MS - 2_000_000_000 + at * 1000;
  const created = new Date(createdMs).toISOString();
  const odd = isMixed ? at % 1000 : 0;
  const key_prefix = shownPrefix(PREFIX, raw);
  return {
    id: mintKsuid(hash('sha256', raw, 'buffer').subarray(0, KSUID_BYTES), createdMs),
    workspace_id: `workspace-${at % WORKSPACES}`,
    name: `key ${at}`,
    kind: 'team',
    owner: `team-${at % OWNERS}`,
    username: `user-${at}`,
    environment: 'live',
    prefix: PREFIX,
    key_prefix,
    scopes: ['reports:read', 'prompts:read'],
    roles: [],
    hide_credentials: false,
    status: odd === 1 ? 'disabled' : odd === 2 ? 'revoked' : 'active',
    expires_at: odd === 3 ? new Date(createdMs + DAY_MS).toISOString() : undefined,
    created_at: created,
    created_by: 'admin',
    updated_at: created,
    rotated_at: created,
    secrets: [{ hash: hashKey(raw), key_prefix }],
  };
}

/** What stores the key of a number, with its workspace where it is the first of it. */
export function benchWrites(at: number, raw: string, isMixed = false): readonly Write[] {
  const key = benchRecord(at, raw, isMixed);
  const write: Write = { kind: 'key', put: key, expected: 0 };
  if (at >= WORKSPACES) return [write];
  const { workspace_id = '', created_at, updated_at } = key;
  const put = { id: workspace_id, status: 'active' as const, created_at, updated_at };
  return [{ kind: 'workspace', put, expected: 0 }, write];
}
