import { randomBytes } from 'node:crypto';
import { hashKey, type KeyHash } from '../../src/core/api-key.ts';
import { mintKsuid } from '../../src/core/ksuid.ts';
import type { KeyFilter } from '../../src/core/record-store.ts';
import type { StoredKey } from '../../src/core/records.ts';

/** The moment of these measurements. */
export const NOW = Date.UTC(2026, 7, 15, 12);
export const DAY_MS = 86_400_000;

/** The hash of the secret that `keyAt` gives a key. */
export function hashAt(at: number): KeyHash {
  return hashKey(`measured ${at}`);
}

/** One of so many keys of every kind and state, made over the last 400 days. */
export function keyAt(at: number, count: number): StoredKey {
  const createdMs = NOW - (count - at) * Math.floor((400 * DAY_MS) / count);
  const created_at = new Date(createdMs).toISOString();
  const environment = at % 10 === 0 ? 'test' : 'live';
  const prefix = `pr_${environment}_`;
  const key_prefix = prefix + (1296 + (at % 3844)).toString(36).slice(-2);
  const kinds = ['service', 'service', 'team', 'personal'] as const;
  const expires =
    at % 4 === 0 ? { expires_at: new Date(createdMs + 390 * DAY_MS).toISOString() } : {};
  const hash = hashAt(at);
  return {
    id: mintKsuid(randomBytes(16), createdMs),
    workspace_id: `workspace-${at % 2 === 0 ? 0 : at % 50_000}`,
    name: `key number ${at}`,
    kind: kinds[at % kinds.length] ?? 'service',
    owner: `user-${at % 100_000}`,
    environment,
    prefix,
    key_prefix,
    scopes: ['reports:read', 'reports:write', 'prompts:read'],
    roles: ['developer'],
    allowed_ips: ['192.0.2.0/24', '2001:db8::/48'],
    hide_credentials: true,
    metadata: { cost_center: `cc-${at % 1000}` },
    status: at % 1000 === 7 ? 'revoked' : at % 1000 === 8 ? 'disabled' : 'active',
    ...expires,
    created_at,
    created_by: 'admin',
    updated_at: created_at,
    rotated_at: created_at,
    secrets: [{ hash, key_prefix }],
  };
}

/** Every filter of the list, alone and with others, that meets many of these keys, few or none. */
export const FILTERS: readonly Omit<KeyFilter, 'nowMs'>[] = [
  {},
  { workspace: 'workspace-0' },
  { workspace: 'workspace-4711' },
  { workspace: null },
  { kind: 'personal' },
  { owner: 'user-4711' },
  { environment: 'test' },
  { status: 'active' },
  { status: 'disabled' },
  { status: 'revoked' },
  { status: 'expired' },
  { prefix: 'pr_' },
  { prefix: 'pr_live_' },
  { prefix: 'pr_live_a' },
  { prefix: 'pr_live_ab' },
  { prefix: 'nobody' },
  { unusedSinceMs: NOW - 30 * DAY_MS },
  { unusedSinceMs: NOW - 395 * DAY_MS },
  { unusedSinceMs: NOW },
  { workspace: 'workspace-0', status: 'revoked' },
  { workspace: 'workspace-0', status: 'expired' },
  { workspace: 'workspace-0', kind: 'personal' },
  { workspace: 'workspace-0', environment: 'test' },
  { workspace: 'workspace-0', prefix: 'pr_test_ab' },
  { workspace: 'workspace-0', unusedSinceMs: NOW - 30 * DAY_MS },
  { kind: 'personal', status: 'revoked' },
];
