import { describe, expect, test } from 'vitest';
import { mintKey } from '../../src/core/api-key.ts';
import { compileKey } from '../../src/core/key-record.ts';
import type { Owner, Ports } from '../../src/core/ports.ts';
import type { RoleDefinition } from '../../src/core/role.ts';
import { decide, outcome, policy, sha256 } from './build.ts';

const RAW = mintKey('pst_', new Uint8Array(64).fill(7));
const POLICY = policy({
  scopes: ['docs:read', 'docs:write'],
  roles: { editor: { scopes: ['docs:write'] } },
  routes: [
    { name: 'read', path: '/read', access: ['api_key'], scopes: ['docs:read'] },
    { name: 'edit', path: '/edit', access: ['api_key'], role: 'editor' },
  ],
});

type Given = {
  readonly scopes?: readonly string[];
  readonly roles?: readonly string[];
  readonly owner?: Owner | undefined;
  readonly custom?: { readonly [name: string]: RoleDefinition };
  readonly status?: 'active' | 'disabled' | 'revoked';
  readonly lostOwner?: boolean;
};

function portsOf(given: Given): Partial<Ports> {
  const { scopes = [], roles = [], status = 'active', lostOwner } = given;
  const hash = `sha256:${sha256(RAW)}`;
  const record = { id: 'k', hash, kind: 'personal', owner: 'ada', workspace: 'w' } as const;
  const key = { ...compileKey({ ...record, scopes, roles }), status, lostOwner };
  return {
    findKey: () => ({ key }),
    findOwner: ({ workspace, id }) => (workspace === 'w' && id === 'ada' ? given.owner : undefined),
    findRoles: (workspace) =>
      workspace === 'w' ? new Map(Object.entries(given.custom ?? {})) : undefined,
  };
}

async function outcomeOf(path: string, given: Given) {
  return outcome(await decide(POLICY, { path, bearer: RAW }, portsOf(given)));
}

const owner = (more: Partial<Owner> = {}): Owner => ({
  active: true,
  scopes: [],
  roles: [],
  ...more,
});

describe('a personal key never exceeds its owner', () => {
  test.each([
    ['whose owner no store knows', { scopes: ['docs:read'] }, 'allow'],
    [
      'whose owner has the scope',
      { scopes: ['*'], owner: owner({ scopes: ['docs:read'] }) },
      'allow',
    ],
    [
      'whose owner lost the scope',
      { scopes: ['*'], owner: owner({ scopes: ['docs:write'] }) },
      'insufficient_scope',
    ],
    [
      'whose owner is deactivated',
      { scopes: ['*'], owner: owner({ active: false, scopes: ['*'] }) },
      'owner_deactivated',
    ],
    [
      'that was revoked with its owner',
      { status: 'revoked', lostOwner: true, owner: owner({ active: false }) },
      'owner_deactivated',
    ],
    [
      'that was revoked with its owner, who came back',
      { status: 'revoked', lostOwner: true, owner: owner({ scopes: ['*'] }) },
      'key_revoked',
    ],
    [
      'that was revoked before its owner was deactivated',
      { status: 'revoked', owner: owner({ active: false }) },
      'key_revoked',
    ],
    [
      'whose owner has the scope by a custom role',
      {
        scopes: ['docs:read'],
        owner: owner({ roles: ['reader'] }),
        custom: { reader: { inherits: [], scopes: ['docs:read'] } },
      },
      'allow',
    ],
  ] as const)('one %s', async (_, given, expected) => {
    expect(await outcomeOf('/read', given)).toBe(expected);
  });
});

describe('a custom role', () => {
  const lead = { lead: { inherits: ['editor'], scopes: ['docs:read'] } };
  test.each([
    ['brings its scopes', '/read', { roles: ['lead'], custom: lead }, 'allow'],
    ['stands for a role that it inherits', '/edit', { roles: ['lead'], custom: lead }, 'allow'],
    ['that is gone brings nothing', '/read', { roles: ['lead'] }, 'insufficient_scope'],
    [
      'cannot take the place of a role of the policy',
      '/read',
      { roles: ['editor'], custom: { editor: { inherits: [], scopes: ['docs:read'] } } },
      'insufficient_scope',
    ],
    [
      'that inherits from itself ends where it began',
      '/read',
      { roles: ['a'], custom: { a: { inherits: ['a'], scopes: ['docs:read'] } } },
      'allow',
    ],
  ] as const)('%s', async (_, path, given, expected) => {
    expect(await outcomeOf(path, given)).toBe(expected);
  });
});
