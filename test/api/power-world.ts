import { createHash, randomBytes } from 'node:crypto';
import { createApi } from '../../src/api/api.ts';
import type { Api } from '../../src/api/parts.ts';
import { deny } from '../../src/core/decision.ts';
import type { RecordStore } from '../../src/core/record-store.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { compile } from '../config/policy-file.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
export const ADMIN = 'the-admin-token-of-this-world';

export const CATALOGUE = ['a:read', 'a:write', 'b:read', 'b:write'] as const;
export const MANAGEMENT = [
  'api_keys:read',
  'api_keys:write',
  'users:read',
  'users:write',
  'workspaces:read',
  'workspaces:write',
  'audit:read',
] as const;
export const WORKSPACES = ['w1', 'w2'] as const;

/** What a random policy says: roles that inherit from earlier ones alone, and the ceiling of a second prefix. */
export type World = {
  readonly roles: Readonly<Record<string, Grants & { readonly inherits: readonly string[] }>>;
  readonly ceiling: readonly string[];
};
type Grants = { readonly scopes: readonly string[] };

export type Answered = { readonly status: number; readonly text: string; readonly body: Body };
type Body = Readonly<Record<string, unknown>>;
export type Asking = {
  readonly token: string;
  readonly method: string;
  readonly path: string;
  readonly body?: object | undefined;
};

export type Running = {
  readonly store: RecordStore;
  readonly ask: (asking: Asking) => Promise<Answered>;
  readonly close: () => Promise<void>;
};

/** Opens the real API over the memory store and a policy made of a world. */
export async function openWorld(world: World): Promise<Running> {
  const policy = await compile(policyText(world));
  const store = openMemoryStore({ maxSubjects: 100, now: () => NOW });
  const failures: unknown[] = [];
  const api: Api = createApi({
    store,
    ports: {
      findKey: store.findKey,
      findWorkspace: store.findWorkspace,
      findOwner: store.findOwner,
      findRoles: store.findRoles,
      verifyToken: () => deny('identify', 'token_invalid'),
      takeLimits: store.takeLimits,
    },
    readLimits: store.readLimits,
    policy: () => policy,
    now: () => NOW,
    randomBytes,
    adminDigests: async () => [createHash('sha256').update(ADMIN).digest('hex')],
    onEvent: () => undefined,
    onFailure: (cause) => failures.push(cause),
    hostAddresses: new Set(),
  });
  const ask = async ({ token, method, path, body }: Asking): Promise<Answered> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const url = `http://api.test${path}`;
    const response = await api(new Request(url, { method, headers, ...content }), '192.0.2.1');
    const text = await response.text();
    if (response.status >= 500) throw new Error(`${method} ${path}: ${text}`, { cause: failures });
    return { status: response.status, text, body: text === '' ? {} : (JSON.parse(text) as Body) };
  };
  return { store, ask, close: store.close };
}

/** JSON is YAML. */
function policyText({ roles, ceiling }: World): string {
  return JSON.stringify({
    scopes: Object.fromEntries(CATALOGUE.map((name) => [name, name])),
    roles: Object.fromEntries(Object.entries(roles).map(([name, role]) => [name, written(role)])),
    api_keys: { prefixes: { pst_: {}, low_: { max_scopes: ceiling } } },
    workspaces: Object.fromEntries(WORKSPACES.map((id) => [id, {}])),
    routes: [
      { path: '/a', access: ['api_key'], scopes: ['a:read'] },
      { path: '/b', access: ['api_key'], any_scope: ['a:write', 'b:read', 'b:write'] },
    ],
  });
}

/** A list of parents has at least one. */
function written({ scopes, inherits }: World['roles'][string]) {
  return inherits.length === 0 ? { scopes } : { scopes, inherits };
}
