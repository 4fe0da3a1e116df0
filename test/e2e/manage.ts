import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { type ApiClient, openApiClient } from '../envoy-harness/api.ts';
import { type CliAnswer, runCli } from '../envoy-harness/cli.ts';
import { startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type HeaderLine, type ReceivedResponse, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { policyText } from './policy.ts';

/** The first credential of an installation, made for one run. */
export const ADMIN_TOKEN = randomBytes(32).toString('base64url');

/** Where requests of the tests come from, unless they say otherwise. */
export const HOME = '192.0.2.10';

/** A policy with a store of its own, two environments, and one upstream that reads and writes. */
export const POLICY = {
  product: 'life',
  client_ip: { trusted_hops: 1 },
  store: 'sqlite:postern.db',
  api_keys: {
    prefixes: {
      pst_live_: { environment: 'live' },
      pst_test_: { environment: 'test' },
      old_: { checksum: false },
    },
  },
  scopes: {
    'reports:read': 'Read reports',
    'reports:write': 'Write reports',
    'api_keys:read': 'See API keys',
    'api_keys:write': 'Manage API keys',
    'users:write': 'Manage users',
    'audit:read': 'See what happened',
  },
  plans: { small: { per_day: 100 }, big: { per_day: 1000 } },
  roles: {
    reader: { scopes: ['reports:read'] },
    writer: { inherits: 'reader', scopes: ['reports:write'] },
  },
  routes: [
    {
      name: 'reports',
      path: '/v1/reports/**',
      access: ['api_key'],
      scopes: { GET: ['reports:read'], '*': ['reports:write'] },
    },
    {
      name: 'api-keys',
      path: '/v1/api-keys/**',
      access: ['api_key'],
      scopes: { GET: ['api_keys:read'], '*': ['api_keys:write'] },
      strip_credentials: false,
    },
  ],
};

/** A request as a test writes it; `GET` from `HOME` to the reports when nothing is said. */
export type Use = {
  readonly method?: string;
  readonly target?: string;
  readonly from?: string;
  readonly headers?: readonly HeaderLine[];
};

/** Client -> Envoy -> an upstream that answers with the identity it was handed; Postern with its API and CLI. */
export type Managed = {
  readonly postern: Postern;
  readonly envoy: RunningEnvoy;
  readonly upstream: Upstream;
  /** The management API, as its administrator. */
  readonly api: ApiClient;
  /** Sends a request through Envoy with this key. */
  readonly use: (key: string, use?: Use) => Promise<ReceivedResponse>;
  /** What became of such a request: `allow`, or the reason of its refusal. */
  readonly outcome: (key: string, use?: Use) => Promise<unknown>;
  /** Runs the command line against the API; throws unless it ends well. */
  readonly cli: (...args: readonly string[]) => Promise<CliAnswer>;
  readonly stop: () => Promise<void>;
};

/** Starts everything with a policy and, when given, a folder that outlives it. */
export async function startManaged(policy: object = POLICY, folder?: string): Promise<Managed> {
  const postern = await startManagedPostern(policy, folder);
  const upstream = await startUpstream(({ lines }) => {
    const named = lines.map(([name, value]) => [name.toLowerCase(), value] as const);
    const identity = named.filter(([name]) => name.startsWith('x-auth-'));
    return { body: JSON.stringify(Object.fromEntries(identity)) };
  });
  const envoy = await startEnvoy({
    checkAddress: postern.checkAddress,
    apiAddress: new URL(apiUrlOf(postern)).host,
    upstreamPort: upstream.port,
    trustedHops: 1,
  });
  const use = (key: string, asked: Use = {}) => sendThrough(envoy.port, key, asked);
  return {
    postern,
    envoy,
    upstream,
    api: apiOf(postern),
    use,
    outcome: async (key, asked) => outcomeOf(await use(key, asked)),
    cli: (...args) => runWell(postern, args),
    stop: async () => {
      await envoy.stop();
      await postern.kill();
      await upstream.stop();
    },
  };
}

/** Starts Postern alone, with the administrator's token. */
export function startManagedPostern(policy: object = POLICY, folder?: string): Promise<Postern> {
  return startPostern({
    policy: policyText(policy),
    env: { POSTERN_ADMIN_TOKEN: ADMIN_TOKEN },
    ...(folder === undefined ? {} : { folder }),
  });
}

/** The administrator's client of a Postern. */
export function apiOf(postern: Postern): ApiClient {
  return openApiClient(apiUrlOf(postern), ADMIN_TOKEN);
}

/** The address of its management API. */
export function apiUrlOf({ apiUrl }: Postern): string {
  if (apiUrl === undefined) throw new Error('there is no management API');
  return apiUrl;
}

function sendThrough(port: number, key: string, asked: Use): Promise<ReceivedResponse> {
  const { method = 'GET', target = '/v1/reports/7', from = HOME, headers = [] } = asked;
  const own: readonly HeaderLine[] = [
    ['X-Api-Key', key],
    ['X-Forwarded-For', from],
  ];
  return send({ port, method, target, headers: [...own, ...headers] });
}

/** The reason of a refusal, or `allow`. */
export function outcomeOf(response: ReceivedResponse): unknown {
  return response.status < 400 ? 'allow' : response.json()['reason'];
}

async function runWell(postern: Postern, args: readonly string[]): Promise<CliAnswer> {
  const env = { POSTERN_URL: apiUrlOf(postern), POSTERN_TOKEN: ADMIN_TOKEN };
  const answer = await runCli(args, { env });
  expect(answer, args.join(' ')).toMatchObject({ code: 0 });
  return answer;
}

/** A text field of an answer; throws when there is none. */
export function textOf(body: { readonly [field: string]: unknown }, field: string): string {
  const value = body[field];
  if (typeof value !== 'string') throw new Error(`no ${field} in ${Object.keys(body)}`);
  return value;
}

/** The items of a list. */
export function itemsOf(body: {
  readonly [field: string]: unknown;
}): readonly { readonly [field: string]: unknown }[] {
  const { data } = body;
  if (!Array.isArray(data)) throw new Error(`no list: ${JSON.stringify(body)}`);
  return data;
}
