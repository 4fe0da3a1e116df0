import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { createApi } from '../../src/api/api.ts';
import type { ApiParts } from '../../src/api/parts.ts';
import { openApiServer } from '../../src/api/server.ts';
import { check } from '../../src/core/check.ts';
import type { Policy } from '../../src/core/policy.ts';
import { guardPorts } from '../../src/core/ports.ts';
import type { AuditEvent } from '../../src/core/records.ts';
import { openTokenVerifier } from '../../src/jwt/verifier.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { compile } from '../config/policy-file.ts';
import { outcome, type RequestSpec, request } from '../core/build.ts';
import { sign } from '../jwt/tokens.ts';
import { createJudge } from './matches-openapi.ts';

/** The moment at which every test begins. */
export const NOW_MS = Date.parse('2026-06-15T12:00:00.000Z');
export const ADMIN = 'admin-token-of-the-tests-0123456789';
const TOKEN_SECRET = 'a shared secret for tests of 40 bytes....';

/** A key that the policy declares, in workspace acme. */
export const DECLARED_KEY = 'old_declared_key_of_the_tests';
export const DECLARED_HASH = sha256(DECLARED_KEY);

/** Two environments, a publishable prefix, one for imports; two workspaces, of which acme has the better plan. */
export const POLICY = `
client_ip: peer
default_plan: free
plans:
  free: { per_minute: 60 }
  pro: { per_minute: 600, burst: 20 }
api_keys:
  read_from: [bearer, { header: x-api-key }, { query: api_key }]
  prefixes:
    pr_live_: { environment: live }
    pr_test_: { environment: test }
    pk_: { publishable: true, max_scopes: ["reports:read"] }
    old_: { checksum: false }
  declared:
    - { id: declared, name: Declared, hash: "sha256:${DECLARED_HASH}", workspace: acme, scopes: ["reports:read"] }
issuers:
  - name: main
    issuer: https://id.example.com
    audience: https://api.example.com
    secret: "${TOKEN_SECRET}"
    claims: { username: sub, scopes: scope, workspace: org, roles: roles, plan: plan, environment: env }
scopes:
  reports:read: Read reports
  reports:write: Write reports
  billing:read: Read bills
roles:
  viewer: { scopes: ["reports:read"] }
  editor: { inherits: viewer, scopes: ["reports:write"] }
  keeper: { scopes: ["api_keys:read", "api_keys:write"] }
workspaces:
  acme: { plan: pro }
  other: {}
routes:
  - { name: reports, path: /v1/reports/**, access: [api_key, jwt], scopes: ["reports:read"] }
  - { name: bills, path: /v1/bills/**, access: [api_key, jwt], scopes: ["billing:read"] }
`;

/** One request to the API: a credential as Bearer, JSON, or anything by hand. */
export type Ask = {
  readonly as?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
};
export type Came = {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever the API answers
  readonly body: any;
  readonly text: string;
};

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** Opens the real API on a free port over a memory store. Every answer must match the OpenAPI document. */
export async function openStage(text = POLICY, more: Partial<ApiParts> = {}) {
  const policy = await compile(text);
  const clock = { nowMs: NOW_MS };
  const store = more.store ?? openMemoryStore({ maxSubjects: 1000 });
  const gate = store as ReturnType<typeof openMemoryStore>;
  const tokens = openTokenVerifier({});
  tokens.use(policy.issuers);
  const { findKey, findWorkspace, findOwner, findRoles, takeLimits } = gate;
  const verifyToken = tokens.verify;
  const ports = guardPorts({
    ...{ findKey, findWorkspace, findOwner, findRoles, takeLimits, verifyToken },
  });
  const events: AuditEvent[] = [];
  const failures: unknown[] = [];
  const state: { policy: Policy } = { policy };
  const api = createApi({
    store,
    ports,
    readLimits: gate.readLimits,
    policy: () => state.policy,
    now: () => clock.nowMs,
    randomBytes: (size) => randomBytes(size),
    adminDigests: async () => [sha256(ADMIN)],
    onEvent: (event) => events.push(event),
    onFailure: (cause) => failures.push(cause),
    hostAddresses: new Set(),
    ...more,
  });
  const server = await openApiServer('127.0.0.1:0', api);
  const url = `http://${server.address}`;
  const judge = createJudge((await (await fetch(`${url}/openapi.json`)).json()) as never);
  const ask = async (method: string, path: string, asked: Ask = {}): Promise<Came> => {
    const headers = new Headers(asked.headers);
    if (asked.as !== undefined) headers.set('authorization', `Bearer ${asked.as}`);
    if (asked.body !== undefined && !headers.has('content-type')) {
      headers.set('content-type', 'application/json');
    }
    const sent = asked.raw ?? (asked.body === undefined ? null : JSON.stringify(asked.body));
    const response = await fetch(url + path, { method, headers, body: sent });
    const answer = await response.text();
    const contentType = response.headers.get('content-type');
    const isJson = contentType?.includes('json') === true && answer !== '';
    const body: unknown = isJson ? JSON.parse(answer) : answer === '' ? undefined : answer;
    expect(judge({ method, path, status: response.status, contentType, body })).toEqual([]);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-request-id')).toMatch(/^[\w.-]{1,128}$/);
    return { status: response.status, headers: response.headers, body, text: answer };
  };
  /** What the gate says to a request at this moment. */
  const gateSays = async (asked: RequestSpec) =>
    outcome(await check(ports, state.policy, request(asked), clock.nowMs));
  return {
    ask,
    admin: (method: string, path: string, body?: unknown, headers: Ask['headers'] = {}) =>
      ask(method, path, { as: ADMIN, body, headers }),
    gateSays,
    /** What the gate says to a key on a route that demands reports:read. */
    gateOn: (key: string, path = '/v1/reports/1') =>
      gateSays({ path, headers: { 'x-api-key': key } }),
    token,
    api,
    clock,
    events,
    failures,
    policy,
    setPolicy: (next: Policy) => {
      state.policy = next;
    },
    store,
    url,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await tokens[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

/** A token of the policy's issuer; claims: sub, scope, org, roles, plan, env. */
export function token(claims: Readonly<Record<string, unknown>>, expiresMs = NOW_MS + 3_600_000) {
  const fixed = { iss: 'https://id.example.com', aud: 'https://api.example.com' };
  const payload = { ...fixed, sub: 'ada', exp: Math.floor(expiresMs / 1000), ...claims };
  return sign(payload, new TextEncoder().encode(TOKEN_SECRET));
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The pointers of a refusal, in order. */
export function pointers(came: Came): readonly string[] {
  return (came.body.errors ?? []).map((one: { pointer: string }) => one.pointer);
}
