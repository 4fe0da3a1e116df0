import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientRequest, type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJudge } from '../api/matches-openapi.ts';
import { type ApiAnswer, openApiClient } from '../envoy-harness/api.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { mint, policyText } from './policy.ts';

/** The administrator's token of this run. */
export const ADMIN = randomBytes(32).toString('base64url');
/** What the one issuer signs with. */
export const ISSUER_SECRET = randomBytes(48).toString('base64url');
/** The key that the policy declares. */
export const DECLARED = mint('pst_live_');

type Json = { readonly [field: string]: unknown };

/** A policy with tenants in the store, two environments, ceilings, and wildcards that reach most of the API. */
export function castlePolicy(change: { readonly api_keys?: Json; readonly policy?: Json } = {}) {
  return {
    product: 'attack',
    store: 'sqlite:postern.db',
    default_plan: 'free',
    api_keys: {
      read_from: ['bearer', { header: 'x-api-key' }, { query: 'api_key' }],
      prefixes: {
        pst_live_: { environment: 'live' },
        pst_test_: { environment: 'test' },
        low_: { max_scopes: ['reports:read', 'api_keys:read', 'api_keys:write'] },
        pk_: { publishable: true },
        old_: { checksum: false },
      },
      declared: [{ id: 'declared-key', hash: DECLARED.hash, workspace: 'walled', scopes: ['*'] }],
      ...change.api_keys,
    },
    issuers: [
      {
        issuer: 'https://id.example.com',
        audience: 'api',
        secret: ISSUER_SECRET,
        claims: { username: 'sub', scopes: 'scope', workspace: 'org' },
      },
    ],
    scopes: {
      'reports:read': 'Read',
      'reports:write': 'Write',
      'reports:delete': 'Delete',
      'api_keys:read': 'See keys',
      'api_keys:write': 'Manage keys',
      'users:read': 'See users',
      'users:write': 'Manage users',
      'workspaces:read': 'See the workspace',
      'workspaces:write': 'Manage the workspace',
    },
    roles: {
      reader: { scopes: ['reports:read'] },
      owner: { inherits: 'reader', scopes: ['reports:write', 'reports:delete'] },
    },
    plans: { free: { per_minute: 1000 }, pro: { per_minute: 100_000 } },
    workspaces: { walled: { plan: 'free' } },
    routes: [
      { name: 'reports', path: '/v1/reports/**', access: ['api_key'], scopes: ['reports:read'] },
      { name: 'api', path: '/v1/**', access: ['api_key', 'jwt'] },
    ],
    ...change.policy,
  };
}

/** One request as it is, without what a browser would mend. */
export type Shot = {
  readonly method?: string;
  readonly path: string;
  /** Bearer credential; the administrator's when absent, null for none. */
  readonly token?: string | null;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Uint8Array | undefined;
  /** Sent in pieces, without a length. */
  readonly isChunked?: boolean;
};

export type Hit = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Json;
};

/** A running Postern with a store of its own, and ways to attack it. */
export type Castle = {
  readonly postern: Postern;
  readonly apiUrl: string;
  readonly folder: string;
  readonly shoot: (shot: Shot) => Promise<Hit>;
  /** JSON there and back; the administrator's when no token is named. */
  readonly ask: (
    method: string,
    path: string,
    body?: unknown,
    more?: Pick<Shot, 'token' | 'headers'>,
  ) => Promise<Hit>;
  /** The same where success is expected. */
  readonly make: (
    method: string,
    path: string,
    body?: unknown,
    token?: string,
  ) => Promise<ApiAnswer['body']>;
  /** Everything that the API shows its administrator. */
  readonly dump: () => Promise<string>;
  /** What is wrong with an answer by the document of the API. */
  readonly judge: (shot: Shot, hit: Hit) => readonly string[];
  readonly document: OpenApi;
  /** Every answer so far, as text. */
  readonly told: readonly string[];
  readonly stop: () => Promise<void>;
};

export type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly [more: string]: unknown;
};
export type Operation = {
  readonly operationId: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: { readonly [type: string]: { readonly schema: Schema } };
  };
  readonly responses: { readonly [status: string]: object };
};
export type OpenApi = {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components?: { readonly schemas?: { readonly [name: string]: Schema } };
};

const MUCH_BYTES = 1024 * 1024;
/** What there is to say of a connection that ended without an answer. */
export const CUT_OFF: Hit = { status: 0, headers: {}, text: '', body: {} };
const PIECE_BYTES = 65_536;
const LISTS = ['api-keys', 'workspaces', 'users', 'teams', 'roles', 'audit-events'];

/** Opens a castle; `args` go to `postern serve`. */
export async function openCastle(
  policy: object = castlePolicy(),
  args: readonly string[] = [],
): Promise<Castle> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-attack-'));
  const postern = await startPostern({
    policy: policyText(policy),
    folder,
    args,
    env: { POSTERN_ADMIN_TOKEN: ADMIN },
  });
  const apiUrl = postern.apiUrl ?? '';
  const told: string[] = [];
  const shoot = async (shot: Shot) => {
    const hit = await fire(apiUrl, shot);
    told.push(`${JSON.stringify(hit.headers)}\n${hit.text}`);
    return hit;
  };
  const ask: Castle['ask'] = (method, path, body, more) => shoot(shotOf(method, path, body, more));
  const client = openApiClient(apiUrl, ADMIN);
  const { body: document } = await client.ask('/openapi.json');
  const judge = createJudge(document as Parameters<typeof createJudge>[0]);
  return {
    postern,
    apiUrl,
    folder,
    shoot,
    ask,
    make: async (method, path, body, token) => {
      const hit = await ask(method, path, body, token === undefined ? {} : { token });
      if (hit.status < 300) return hit.body;
      throw new Error(`${method} ${path} answered ${hit.status} ${hit.text}`);
    },
    dump: () => dump(apiUrl),
    judge: (shot, hit) => judge(cameOf(shot, hit)),
    document: document as unknown as OpenApi,
    told,
    stop: async () => {
      await postern.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A request with a JSON body. */
export function shotOf(
  method: string,
  path: string,
  body?: unknown,
  more: Pick<Shot, 'token' | 'headers'> = {},
): Shot {
  if (body === undefined) return { method, path, ...more };
  const headers = { 'content-type': 'application/json', ...more.headers };
  return { method, path, ...more, headers, body: JSON.stringify(body) };
}

/** Sends a request byte for byte. */
export function fire(apiUrl: string, shot: Shot): Promise<Hit> {
  const { hostname, port } = new URL(apiUrl);
  const { method = 'GET', path, token = ADMIN, body, isChunked = false } = shot;
  const headers: { [name: string]: string } = { ...shot.headers };
  if (token !== null) headers['authorization'] ??= `Bearer ${token}`;
  const bytes = body === undefined ? undefined : Buffer.from(body);
  if (bytes && !isChunked) headers['content-length'] ??= String(bytes.length);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          body: parsed(text),
        });
      });
    });
    // Whoever sends too much is cut off, and may hear no answer for all that is still on its way.
    const isMuch = (bytes?.length ?? 0) > MUCH_BYTES;
    sent.on('error', (cause) => (isMuch ? resolve(CUT_OFF) : reject(cause)));
    sent.setTimeout(15_000, () =>
      sent.destroy(new Error(`no answer to ${method} ${path.slice(0, 80)}`)),
    );
    if (bytes && (isChunked || isMuch)) pour(sent, bytes);
    else sent.end(bytes);
  });
}

/** Sends pieces until all are sent or the answer is there. */
function pour(sent: ClientRequest, bytes: Uint8Array) {
  let at = 0;
  let isAnswered = false;
  sent.on('response', () => {
    isAnswered = true;
  });
  const next = () => {
    if (isAnswered || sent.destroyed) return;
    if (at >= bytes.length) sent.end();
    else sent.write(bytes.subarray(at, at + PIECE_BYTES), () => setImmediate(next));
    at += PIECE_BYTES;
  };
  next();
}

function parsed(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}

function cameOf({ method = 'GET', path }: Shot, { status, headers, text }: Hit) {
  const contentType = headers['content-type'] ?? null;
  const isJson = contentType?.includes('json') === true;
  const body: unknown = text === '' ? undefined : isJson ? JSON.parse(text) : text;
  return { method, path, status, contentType, body };
}

/** Every record and every event, without what use alone changes. */
async function dump(apiUrl: string): Promise<string> {
  const all: unknown[] = [];
  for (const list of LISTS) {
    let cursor: unknown = '';
    for (let pages = 0; cursor !== null && pages < 100; pages += 1) {
      const at = cursor === '' ? '' : `&cursor=${cursor}`;
      const { status, body, text } = await fire(apiUrl, { path: `/v1/${list}?limit=200${at}` });
      if (status !== 200) throw new Error(`no dump of ${list}: ${status} ${text}`);
      all.push(list, body['data']);
      cursor = body['next_cursor'];
    }
  }
  return JSON.stringify(all, (name, value) => (name === 'last_used_at' ? null : value));
}
