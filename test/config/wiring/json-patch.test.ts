import { describe, expect, test } from 'vitest';
import { judge } from './judge.ts';

const POLICY = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: { name: postern, namespace: edge }
spec:
  extAuth:
    grpc: { backendRefs: [{ name: postern, port: 9191 }] }
    timeout: 250ms
`;

const LISTENER = 'type.googleapis.com/envoy.config.listener.v3.Listener';
const EXT_AUTHZ = 'envoy.filters.http.ext_authz/securitypolicy/edge/postern';
const IN_FILTER = placeOf(EXT_AUTHZ);

function placeOf(filter: string): string {
  return `..http_filters[?(@.name=='${filter}')].typed_config`;
}

type Operation = {
  readonly op?: string;
  readonly jsonPath?: string | undefined;
  readonly path?: string | undefined;
  readonly value?: unknown;
};

const at = (path: string, value: unknown): Operation => ({ jsonPath: IN_FILTER, path, value });

/** All that Envoy Gateway has no words for. */
const WHOLE: readonly Operation[] = [
  at('status_on_error', { code: 'ServiceUnavailable' }),
  at('grpc_service/retry_policy', { num_retries: 1 }),
  at('encode_raw_headers', true),
  at('validate_mutations', true),
  at('charge_cluster_response_stats', false),
];
const LACKING = [
  'charged_refusals',
  'no_raw_headers',
  'no_retry',
  'no_validate_mutations',
  'status_on_error',
];

function patchPolicy(operations: readonly Operation[], type = LISTENER): string {
  return JSON.stringify({
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'EnvoyPatchPolicy',
    metadata: { name: 'postern', namespace: 'edge' },
    spec: {
      jsonPatches: operations.map((operation) => {
        return { type, name: 'edge/api/http', operation: { op: 'add', ...operation } };
      }),
    },
  });
}

function judgeWith(operations: readonly Operation[], type?: string) {
  return judge({ 'policy.yaml': POLICY, 'patch.json': patchPolicy(operations, type) });
}

/** The same patches in another place. */
function moved(jsonPath: string, prefix = ''): readonly Operation[] {
  return WHOLE.map(({ path, value }) => ({ jsonPath, path: `${prefix}${path}`, value }));
}

test('without patches everything is lacking that they set', async () => {
  expect((await judge({ 'policy.yaml': POLICY })).names).toEqual(LACKING);
});

describe('patches count', () => {
  const filterPath = '/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config';
  const camel = WHOLE.map((one) => {
    const path = one.path?.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    return { ...one, path };
  });

  test.each<[string, readonly Operation[]]>([
    ['below the filter of the policy', WHOLE],
    ['with a path that begins with a slash', moved(IN_FILTER, '/')],
    ['when they replace', WHOLE.map((one) => ({ ...one, op: 'replace' }))],
    ['with names as Envoy takes them too', camel],
    ['below a filter by its place', moved('$..http_filters[0].typed_config')],
    ['below a filter by the name of them all', moved(placeOf('envoy.filters.http.ext_authz'))],
    ['in double quotes', moved(IN_FILTER.replaceAll("'", '"'))],
    [
      'by a JSON pointer alone',
      WHOLE.map(({ path, value }) => ({ path: `${filterPath}/${path}`, value })),
    ],
    [
      'by a pointer below the connection manager',
      moved(
        "..filters[?(@.name=='envoy.filters.network.http_connection_manager')].typed_config",
        'http_filters/0/typed_config/',
      ),
    ],
    [
      'when the whole filter is set',
      [
        {
          jsonPath: IN_FILTER,
          value: {
            status_on_error: { code: 503 },
            grpc_service: { retry_policy: {} },
            encode_raw_headers: true,
            validate_mutations: true,
            charge_cluster_response_stats: false,
          },
        },
      ],
    ],
  ])('%s', async (_name, operations) => {
    expect(await judgeWith(operations)).toEqual({ names: [], warnings: [], problems: [] });
  });

  test('and the last of them wins', async () => {
    const off = at('encode_raw_headers', false);
    expect((await judgeWith([...WHOLE, off])).names).toEqual(['no_raw_headers']);
    expect((await judgeWith([off, ...WHOLE])).names).toEqual([]);
  });

  test('and what one of them takes away is lacking', async () => {
    const removed = { op: 'remove', jsonPath: IN_FILTER, path: 'grpc_service/retry_policy' };
    const alone = { op: 'remove', jsonPath: `${IN_FILTER}.encode_raw_headers` };
    const { names } = await judgeWith([...WHOLE, removed, alone]);
    expect(names).toEqual(['no_raw_headers', 'no_retry']);
  });

  test('and what one of them undoes is named with its place', async () => {
    const { warnings } = await judgeWith([...WHOLE, at('failure_mode_allow', true)]);
    expect(warnings).toEqual([expect.stringMatching(/^patch\.json:1:\d+ failure_mode_allow: /)]);
  });
});

describe('patches of something else do not', () => {
  test.each<[string, string]>([
    ['another filter', placeOf('envoy.filters.http.rbac')],
    ['the filter of another policy', placeOf(EXT_AUTHZ.replace('/postern', '/other'))],
    ['the filter of a policy elsewhere', placeOf(EXT_AUTHZ.replace('/edge/', '/inner/'))],
    [
      'the connection manager',
      "..filters[?(@.name=='envoy.filters.network.http_connection_manager')].typed_config",
    ],
  ])('%s', async (_name, jsonPath) => {
    expect((await judgeWith(moved(jsonPath))).names).toEqual(LACKING);
  });

  test('a cluster', async () => {
    const type = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
    expect((await judgeWith(WHOLE, type)).names).toEqual(LACKING);
  });

  test('and those that only test change nothing', async () => {
    const tests = WHOLE.map((one) => ({ ...one, op: 'test' }));
    expect((await judgeWith(tests)).names).toEqual(LACKING);
  });
});

describe('a patch that cannot be read is named, and counts for nothing', () => {
  const others = WHOLE.filter(({ path }) => path !== 'encode_raw_headers');
  const raw = { path: 'encode_raw_headers', value: true };

  test.each<[string, Operation, string]>([
    [
      'another filter expression',
      { ...raw, jsonPath: "..http_filters[?(@.name=~'ext_authz')].typed_config" },
      'write jsonPath as',
    ],
    ['a union', { ...raw, jsonPath: '..http_filters[0,1].typed_config' }, 'write jsonPath as'],
    ['no JSONPath at all', { ...raw, jsonPath: 'http_filters' }, 'write jsonPath as'],
    [
      'the setting in jsonPath',
      { jsonPath: `${IN_FILTER}.encode_raw_headers`, value: true },
      'write the setting as path',
    ],
    ['a copy', { ...raw, op: 'copy', jsonPath: IN_FILTER }, 'use add, replace or remove'],
  ])('%s', async (_name, operation, advice) => {
    const { names, warnings } = await judgeWith([...others, operation]);
    expect(names).toEqual(['no_raw_headers', 'unread_patch']);
    expect(warnings.find((one) => one.includes('unread_patch'))).toMatch(
      new RegExp(`^patch\\.json:1:\\d+ unread_patch: .*${advice}`),
    );
  });

  test.each<[string, Operation, string]>([
    [
      'has nothing to do with ext_authz',
      { jsonPath: '..tls_params.tls_minimum_protocol_version', value: 'TLSv1_3' },
      LISTENER,
    ],
    [
      'is of a cluster',
      { jsonPath: '..endpoints[0:2]', value: {} },
      'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    ],
  ])('but not one that %s', async (_name, operation, type) => {
    const text = patchPolicy([operation], type);
    const files = { 'policy.yaml': POLICY, 'patch.json': patchPolicy(WHOLE), 'other.json': text };
    expect((await judge(files)).names).toEqual([]);
  });
});
