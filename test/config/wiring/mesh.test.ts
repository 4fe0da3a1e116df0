import { expect, test } from 'vitest';
import type { WiringWarning } from '../../../src/config/wiring/review-wiring.ts';
import { BOOTSTRAP, judge } from './judge.ts';

const ISTIO = `
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  meshConfig:
    pathNormalization: { normalization: DECODE_AND_MERGE_SLASHES }
    defaultConfig: { gatewayTopology: { numTrustedProxies: 0 } }
    extensionProviders:
      - name: postern
        envoyExtAuthzGrpc:
          service: postern.postern.svc.cluster.local
          port: 9191
          timeout: 250ms
          failOpen: false
          statusOnError: "503"
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: postern, namespace: istio-system }
spec:
  action: CUSTOM
  provider: { name: postern }
  rules: [{}]
`;

const ENVOY_FILTER = `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: postern, namespace: istio-system }
spec:
  configPatches:
    - applyTo: HTTP_FILTER
      patch:
        operation: MERGE
        value:
          name: envoy.filters.http.ext_authz
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
            encode_raw_headers: true
            validate_mutations: true
            charge_cluster_response_stats: false
            grpc_service:
              retry_policy: { num_retries: 1, retry_back_off: { base_interval: 0.005s, max_interval: 0.25s } }
`;

const GATEWAY = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: { name: postern }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  extAuth:
    grpc:
      backendRefs: [{ name: postern, port: 9191 }]
      backendSettings: { retry: { numRetries: 1 } }
    timeout: 250ms
    failOpen: false
    statusOnError: 503
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: { name: public }
spec:
  path: { escapedSlashesAction: RejectRequest }
  headers: { withUnderscoresAction: RejectRequest, requestID: Generate }
`;

const PATCH_POLICY = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyPatchPolicy
metadata: { name: postern }
spec:
  jsonPatches:
    - operation: { op: add, path: /http_filters/0/typed_config/encode_raw_headers, value: true }
    - operation: { op: add, path: /http_filters/0/typed_config/validate_mutations, value: true }
    - operation: { op: add, path: /http_filters/0/typed_config/charge_cluster_response_stats, value: false }
`;

const ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  rules:
    - filters:
        - type: ExternalAuth
          externalAuth:
            protocol: GRPC
            backendRef: { name: postern, port: 9191 }
`;

test.each([
  ['Istio with its EnvoyFilter', { 'istio.yaml': ISTIO, 'filter.yaml': ENVOY_FILTER }],
  ['Istio in one file', { 'istio.yaml': `${ISTIO}---${ENVOY_FILTER}` }],
  ['the EnvoyFilter alone', { 'filter.yaml': ENVOY_FILTER }],
  ['Envoy Gateway with its patches', { 'gateway.yaml': GATEWAY, 'patch.yaml': PATCH_POLICY }],
  ['a route of the Gateway API', { 'route.yaml': ROUTE }],
])('no warning: %s', async (_name, files) => {
  expect(await judge(files)).toEqual({ names: [], warnings: [], problems: [] });
});

const HOPS_1 = 'client_ip: { trusted_hops: 1 }';
const CONTEXT = 'routes: [{ path: /v1/**, access: [api_key], context: { tier: gold } }]';

type Row = readonly [name: WiringWarning, from: string, to: string, policy?: string];
/** One row each: a text of the file, and what stands in its place. */
const rows = (...all: readonly Row[]) =>
  all.map(([name, from, to, policy]) => ({ name, from, to, policy }));

test.each(
  rows(
    ['failure_mode_allow', 'failOpen: false', 'failOpen: true'],
    ['status_on_error', '          statusOnError: "503"\n', ''],
    ['status_on_error', 'statusOnError: "503"', 'statusOnError: "403"'],
    ['missing_timeout', '          timeout: 250ms\n', ''],
    ['short_timeout', 'timeout: 250ms', 'timeout: 0.05s'],
    ['long_timeout', 'timeout: 250ms', 'timeout: 1m30s'],
    ['http_service', 'envoyExtAuthzGrpc', 'envoyExtAuthzHttp'],
    ['request_body', 'port: 9191', 'includeRequestBodyInCheck: { maxRequestBytes: 1 }'],
    ['clear_route_cache', 'port: 9191', 'clearRouteCache: true'],
    ['no_rules', 'rules: [{}]', 'rules: []'],
    ['partly_enabled', 'rules: [{}]', 'rules: [{ to: [{ operation: { paths: [/v1/*] } }] }]'],
    ['unknown_provider', 'provider: { name: postern }', 'provider: { name: postren }'],
    ['hops_differ', 'numTrustedProxies: 0', 'numTrustedProxies: 1'],
    ['hops_differ', 'numTrustedProxies: 0', 'numTrustedProxies: 0', HOPS_1],
    ['normalize_path', 'DECODE_AND_MERGE_SLASHES', 'NONE'],
    ['merge_slashes', 'DECODE_AND_MERGE_SLASHES', 'BASE'],
    ['escaped_slashes', 'DECODE_AND_MERGE_SLASHES', 'MERGE_SLASHES'],
    [
      'access_log_path',
      'extensionProviders:',
      'accessLogFile: /dev/stdout\n    extensionProviders:',
    ],
    [
      'access_log_credentials',
      'extensionProviders:',
      'accessLogFormat: "%REQ(COOKIE)%"\n    extensionProviders:',
    ],
    ['no_context', 'port: 9191', 'port: 9192', CONTEXT],
    ['no_raw_headers', 'encode_raw_headers: true', 'encode_raw_headers: false'],
    ['no_raw_headers', 'operation: MERGE', 'operation: REMOVE_ALL'],
    ['no_retry', 'retry_policy:', 'retry_police:'],
    ['retry_back_off', 'max_interval: 0.25s', 'max_interval: 0.1s'],
  ),
)('Istio: $name, for $from there stands $to', async ({ name, from, to, policy }) => {
  const text = `${ISTIO}---${ENVOY_FILTER}`;
  expect(text).toContain(from);
  const without = to.includes('REMOVE') ? ISTIO : text.replace(from, to);
  expect((await judge({ 'istio.yaml': without }, policy)).names).toContain(name);
});

const APP_POLICY = `---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: { name: app }
spec:
  cors: { allowOrigins: ["https://app.example.com"] }
---`;

test.each(
  rows(
    ['failure_mode_allow', 'failOpen: false', 'failOpen: true'],
    ['status_on_error', '    statusOnError: 503\n', ''],
    ['missing_timeout', '    timeout: 250ms\n', ''],
    ['long_timeout', 'timeout: 250ms', 'timeout: 10s'],
    ['no_retry', 'backendSettings:', 'backendSetting:'],
    ['http_service', '    grpc:', '    http:'],
    ['headers_allow_list', 'timeout: 250ms', 'headersToExtAuth: [authorization, "*"]'],
    ['request_body', 'timeout: 250ms', 'bodyToExtAuth: { maxRequestBytes: 8192 }'],
    ['clear_route_cache', 'timeout: 250ms', 'recomputeRoute: true'],
    ['no_context', 'timeout: 250ms', 'contextExtensions: [{ name: door, value: a }]', CONTEXT],
    ['policy_replaced', '---', APP_POLICY],
    [
      'hops_differ',
      'path: {',
      'clientIPDetection: { xForwardedFor: { numTrustedHops: 2 } }\n  path: {',
    ],
    ['hops_differ', 'path: {', 'path: {', HOPS_1],
    ['hops_differ', 'path: {', 'clientIPDetection: { customHeader: { name: x } }\n  path: {'],
    [
      'skip_xff_append',
      'path: {',
      'clientIPDetection: { xForwardedFor: { disableXForwardedForAppend: true } }\n  path: {',
      HOPS_1,
    ],
    ['escaped_slashes', 'RejectRequest }', 'KeepUnchanged }'],
    ['merge_slashes', 'path: {', 'path: { disableMergeSlashes: true,'],
    ['underscores', 'withUnderscoresAction: RejectRequest', 'withUnderscoresAction: Allow'],
    ['request_id', 'requestID: Generate', 'requestID: PreserveOrGenerate'],
    ['no_raw_headers', 'encode_raw_headers, value: true', 'encode_raw_headers, value: false'],
    ['no_validate_mutations', '/validate_mutations', '/validate_mutation'],
    ['charged_refusals', 'stats, value: false', 'stats, value: true'],
  ),
)('Envoy Gateway: $name, for $from there stands $to', async ({ name, from, to, policy }) => {
  const text = `${GATEWAY}---${PATCH_POLICY}`;
  expect(text).toContain(from);
  expect((await judge({ 'gateway.yaml': text.replace(from, to) }, policy)).names).toContain(name);
});

test.each(
  rows(
    ['http_service', 'protocol: GRPC', 'protocol: HTTP'],
    ['headers_allow_list', 'protocol: GRPC', 'grpc: { allowedHeaders: [authorization] }'],
    ['request_body', 'protocol: GRPC', 'forwardBody: { maxSize: 8192 }'],
  ),
)('Gateway API: $name, for $from there stands $to', async ({ name, from, to }) => {
  expect((await judge({ 'route.yaml': ROUTE.replace(from, to) })).names).toEqual([name]);
});

test('the context of Envoy Gateway is seen', async () => {
  const text = `${GATEWAY}---${PATCH_POLICY}`.replace(
    'timeout: 250ms',
    'timeout: 250ms\n    contextExtensions: [{ name: tier, type: Value, value: gold }]',
  );
  expect((await judge({ 'gateway.yaml': text }, CONTEXT)).names).toEqual([]);
});

test.each([
  ['envoyproxy/envoy:v1.34.1', true],
  ['envoyproxy/envoy:distroless-v1.38.3', true],
  ['docker.io/envoyproxy/envoy-distroless:v1.39.0', true],
  ['envoyproxy/envoy:v1.39.1', false],
  ['envoyproxy/envoy:v1.40.0', false],
  ['envoyproxy/envoy:v1.38-latest', false],
  ['example.com/envoy:v1.2.3', false],
])('the image %s: old %s', async (image, isOld) => {
  const pod = `\n---\napiVersion: v1\nkind: Pod\nspec: { containers: [{ image: "${image}" }] }\n`;
  expect((await judge({ 'route.yaml': ROUTE + pod })).names).toEqual(isOld ? ['old_envoy'] : []);
});

test('what a ConfigMap holds is judged, and named by its own line and column', async () => {
  const inner = BOOTSTRAP.replace('failure_mode_allow: false', 'failure_mode_allow: true');
  const indented = inner.replaceAll(/^(?=.)/gm, '    ');
  const text = `apiVersion: v1\nkind: ConfigMap\ndata:\n  envoy.yaml: |\n${indented}`;
  const lines = text.split('\n');
  const line = lines.findIndex((one) => one.includes('failure_mode_allow: true')) + 1;
  const column = (lines[line - 1] ?? '').indexOf('failure') + 1;
  const { warnings } = await judge({ 'map.yaml': text });
  expect(warnings).toEqual([expect.stringContaining(`map.yaml:${line}:${column} failure_mode`)]);
});

test('JSON is read as YAML is', async () => {
  const text = JSON.stringify({
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
    failureModeAllow: true,
  });
  expect((await judge({ 'filter.json': text })).names).toContain('failure_mode_allow');
});

test('files in which nothing asks Postern are named', async () => {
  const { warnings } = await judge({ 'service.yaml': 'apiVersion: v1\nkind: Service\n' });
  expect(warnings).toEqual([
    'service.yaml:1:1 no_ext_authz: nothing here makes Envoy ask Postern: name the files with ext_authz',
  ]);
});

test.each([
  ['a broken file', 'a: [', 'file.yaml:1:5'],
  ['a deep file', '['.repeat(10_000), 'the YAML is nested too deeply'],
])('%s is a problem, with its place', async (_name, text, problem) => {
  const { problems, warnings } = await judge({ 'file.yaml': text });
  expect(problems[0]).toContain(problem);
  expect(warnings).toEqual([]);
});

test.each([
  [
    'aliases that double',
    `a0: &a0 [x]\n${Array.from({ length: 40 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`).join('\n')}`,
  ],
  ['an alias that holds itself', 'a: &a { access_log: [*a], b: *a }'],
  ['a merge that holds itself', 'a: &a { <<: *a }'],
  ['an empty file', ''],
  ['a text', 'text'],
])('%s is read in no time', async (_name, text) => {
  expect((await judge({ 'file.yaml': text })).names).toEqual(['no_ext_authz']);
});
