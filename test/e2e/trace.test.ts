import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { HTTP_CONNECTION_MANAGER } from '../../scripts/lib/bootstrap.ts';
import { freePort } from '../../scripts/lib/free-port.ts';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { blocksOf, readPage } from '../docs/pages.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { messageOf } from './messages.ts';
import { type CollectedSpan, type Collector, startCollector } from './otlp-collector.ts';
import { mint, policyText } from './policy.ts';
import { openRawClient } from './raw-client.ts';

const key = mint();
const stranger = mint();
const USERNAME = 'ada.lovelace@example.com';
const SERVER = 2;
const CLIENT = 3;
const policy = policyText({
  plans: { day: { per_day: 1000 } },
  default_plan: 'day',
  api_keys: {
    read_from: [{ header: 'x-api-key' }, { query: 'api_key' }],
    declared: [{ id: 'one', username: USERNAME, workspace: 'acme', hash: key.hash }],
  },
  routes: [{ name: 'v1', path: '/v1/**', access: ['api_key'] }],
});
const withKey = [['x-api-key', key.raw]] as const;

const folder = mkdtempSync(join(tmpdir(), 'postern-trace-'));
const HOOK = pathToFileURL(join(import.meta.dirname, 'loaded-modules.ts')).href;
/** What makes a program write down which modules it loads, and the file. */
function watching(name: string) {
  const path = join(folder, name);
  const env = { NODE_OPTIONS: `--import=${HOOK}`, LOADED_MODULES: path };
  const loaded = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((url) => url !== '');
  return { env, loaded };
}

const OFF = { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: '' };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The pieces of YAML in the page on traces, by what each begins with, for a collector on another port. */
function pieceOf(name: string, port: number): unknown {
  const piece = blocksOf(readPage('docs/traces.md')).find(({ lines }) => lines[0] === `# ${name}`);
  if (!piece) throw new Error(`the page has no piece ${name}`);
  return parse(piece.lines.join('\n').replaceAll('4318', String(port)));
}

/** Envoy's own tracing as the page shows it. Its spans leave at once, and not when there are five. */
function traced(port: number): NonNullable<Parameters<typeof startEnvoy>[0]['overrides']> {
  const { tracing } = pieceOf('http_connection_manager', port) as { readonly tracing: object };
  const soon = { 'tracing.opentelemetry.min_flush_spans': 1 };
  return (bootstrap) => {
    const node = (value: unknown) => bootstrap.createNode(value);
    bootstrap.setIn([...HTTP_CONNECTION_MANAGER, 'tracing'], node(tracing));
    bootstrap.addIn(['static_resources', 'clusters'], node(pieceOf('cluster', port)));
    bootstrap.setIn(['layered_runtime', 'layers'], node([{ name: 'soon', static_layer: soon }]));
  };
}

describeEnvoy('a trace through a real Envoy', () => {
  let collector: Collector;
  let upstream: Upstream;
  let postern: Postern;
  let envoy: RunningEnvoy;
  const modules = watching('on');

  beforeAll(async () => {
    [collector, upstream] = await Promise.all([startCollector(), startUpstream()]);
    const env = {
      ...modules.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_SERVICE_NAME: 'gate',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    };
    postern = await startPostern({ policy, env });
    envoy = await startEnvoy({
      checkAddress: postern.checkAddress,
      upstreamPort: upstream.port,
      overrides: traced(collector.port),
    });
  });

  afterAll(async () => {
    await Promise.all([envoy?.stop(), postern?.kill(), upstream?.stop(), collector?.stop()]);
  });

  /** The spans of a trace, once Postern's and Envoy's own are there. */
  async function traceOf(traceId: string): Promise<readonly CollectedSpan[]> {
    const found = () => collector.spans().filter((span) => span.traceId === traceId);
    const isWhole = (spans: readonly CollectedSpan[]) =>
      ['edge', 'gate'].every((service) => spans.some((span) => span.service === service)) &&
      spans.filter(({ service }) => service === 'edge').length > 1;
    return await vi.waitFor(
      () => {
        const spans = found();
        if (!isWhole(spans)) throw new Error(`not whole: ${JSON.stringify(spans)}`);
        return spans;
      },
      { timeout: 8000, interval: 20 },
    );
  }

  test('a check is a child of the span in which Envoy asks, and has its parts below it', async () => {
    const { status } = await send({ port: envoy.port, target: '/v1/x', headers: withKey });
    expect(status).toBe(200);
    const line = await postern.waitForAudit(({ decision }) => decision === 'allow');
    const spans = await traceOf(String(line['trace_id']));
    const check = spans.find(({ name }) => name === 'postern.check');
    const asking = spans.find(({ spanId }) => spanId === check?.parentSpanId);
    expect(check).toMatchObject({ service: 'gate', kind: SERVER, status: 0 });
    expect(asking).toMatchObject({ service: 'edge', kind: CLIENT });
    expect(asking?.name).toMatch(/postern|ext_authz|Check/i);
    expect(check?.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.route': 'v1',
      'postern.decision': 'allow',
      'postern.plan': 'day',
    });
    const parts = spans.filter(({ parentSpanId }) => parentSpanId === check?.spanId);
    expect(parts.map(({ name }) => name).sort()).toEqual(['find_workspace', 'take_limits']);
    const sent = upstream.last().header('traceparent');
    expect(sent).toContain(check?.traceId);
    expect(sent).not.toContain(check?.spanId);
  });

  test('a refusal tells its trace to the client, in both kinds of body', async () => {
    const target = `/v1/x?api_key=${stranger.raw}`;
    const refused = await send({ port: envoy.port, target });
    const problem = await send({
      port: envoy.port,
      target,
      headers: [['accept', 'application/problem+json']],
    });
    expect([refused.status, problem.status]).toEqual([401, 401]);
    for (const answer of [refused, problem]) {
      const { trace_id, request_id } = answer.json();
      const line = await postern.waitForAudit((one) => one['request_id'] === request_id);
      expect(line).toMatchObject({ reason: 'unknown_key', trace_id });
      const spans = await traceOf(String(trace_id));
      const check = spans.find(({ name }) => name === 'postern.check');
      expect(check?.attributes['postern.reason']).toBe('unknown_key');
    }
  });

  test('a gRPC message has no room for it', async () => {
    const answer = await send({
      port: envoy.port,
      method: 'POST',
      target: '/v1/x',
      headers: [['content-type', 'application/grpc']],
      body: '',
    });
    expect(answer.header('grpc-status')).toBe('16');
    expect(`${answer.header('grpc-message')}${answer.body}`).not.toMatch(/[0-9a-f]{32}/);
  });

  test('a trace that the client began goes on, and one that is not sampled leaves no span', async () => {
    const id = (fill: string) => fill.repeat(32);
    for (const [trace, flags] of [
      ['a', '01'],
      ['b', '00'],
    ] as const) {
      const traceparent = `00-${id(trace)}-${'c'.repeat(16)}-${flags}`;
      const headers = [...withKey, ['traceparent', traceparent]] as const;
      await send({ port: envoy.port, target: '/v1/x', headers });
    }
    expect((await traceOf(id('a'))).map(({ name }) => name)).toContain('postern.check');
    expect(await postern.waitForAudit((line) => line['trace_id'] === id('b'))).toBeDefined();
    expect(collector.spans().filter(({ traceId }) => traceId === id('b'))).toEqual([]);
  });

  test('an exemplar leads from the histogram to a trace that was exported', async () => {
    const accept = 'application/openmetrics-text;version=1.0.0';
    const response = await fetch(`${postern.opsUrl}/metrics`, { headers: { accept } });
    expect(response.headers.get('content-type')).toContain('openmetrics-text');
    const text = await response.text();
    const [, trace = '', span] =
      /_duration_seconds_bucket\{.*# \{trace_id="(\w{32})",span_id="(\w{16})"\}/.exec(text) ?? [];
    const spans = await traceOf(trace);
    expect(spans.find(({ spanId }) => spanId === span)?.name).toBe('postern.check');
    const plain = await (await fetch(`${postern.opsUrl}/metrics`)).text();
    expect(plain).toMatch(/^postern_trace_spans_total\{outcome="failed"\} 0$/m);
    expect(plain).not.toContain('trace_id');
  });

  test('nothing that was exported holds a key, a name, an address or a query', () => {
    const bytes = collector.bytesOf('gate');
    expect(bytes).toContain('postern.check');
    for (const secret of [
      key.raw,
      stranger.raw,
      USERNAME,
      'acme',
      'api_key=',
      '127.0.0.1',
      '/v1/x',
    ]) {
      expect(bytes).not.toContain(secret);
    }
  });

  test('the libraries for it were loaded', () => {
    expect(modules.loaded().filter((url) => url.includes('@opentelemetry'))).not.toEqual([]);
  });
});

test('with tracing off nothing of OpenTelemetry is loaded', async () => {
  const modules = watching('off');
  const postern = await startPostern({ policy, env: { ...modules.env, ...OFF } });
  const client = openRawClient(postern.checkAddress);
  try {
    const lines = [
      ...withKey,
      ['traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    ] as const;
    expect((await client.check(messageOf({ lines }))).code).toBe(0);
    const refused = await client.check(messageOf({ lines: lines.slice(1) }));
    expect(refused.body).not.toContain('trace');
    expect(await postern.waitForAudit(() => true)).not.toHaveProperty('trace_id');
    const accept = 'application/openmetrics-text;version=1.0.0';
    const metrics = await fetch(`${postern.opsUrl}/metrics`, { headers: { accept } });
    expect(metrics.headers.get('content-type')).toMatch(/^text\/plain/);
    await postern.stop();
    const loaded = modules.loaded();
    expect(loaded.filter((url) => url.includes('/src/app.ts'))).not.toEqual([]);
    expect(loaded.filter((url) => url.includes('@opentelemetry'))).toEqual([]);
    expect(loaded.filter((url) => url.includes('observe/trace/tracer'))).toEqual([]);
  } finally {
    client.close();
    await postern.kill();
  }
});

describe.concurrent('a collector', () => {
  /** Answers some checks, and says how Postern ended and what became of the spans. */
  async function checkWith(endpoint: string) {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_SCHEDULE_DELAY: '20' };
    const postern = await startPostern({ policy, env });
    const client = openRawClient(postern.checkAddress);
    try {
      const message = messageOf({ lines: withKey });
      const answers = await Promise.all(Array.from({ length: 100 }, () => client.check(message)));
      expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([0]));
      client.close();
      const startedMs = performance.now();
      const exit = await postern.stop();
      return { exit, tookMs: performance.now() - startedMs, stderr: postern.stderr() };
    } finally {
      client.close();
      await postern.kill();
    }
  }

  test('that is not there, or never answers, holds up neither checks nor the end', async () => {
    const deaf = await startCollector({ deaf: true });
    try {
      const nowhere = `http://127.0.0.1:${await freePort()}`;
      const [gone, silent] = await Promise.all([checkWith(nowhere), checkWith(deaf.url)]);
      for (const { exit, tookMs } of [gone, silent]) {
        expect(exit).toBe(0);
        expect(tookMs).toBeLessThan(8000);
      }
      expect(gone.stderr).toContain('spans cannot be exported');
      expect(gone.stderr).toContain('ECONNREFUSED');
      expect(gone.stderr.match(/spans cannot be exported/g)).toHaveLength(1);
    } finally {
      await deaf.stop();
    }
  });

  test('gets the spans of the last checks before the end', async () => {
    const collector = await startCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '60000' };
    const postern = await startPostern({ policy, env });
    const client = openRawClient(postern.checkAddress);
    try {
      await client.check(messageOf({ lines: withKey }));
      expect(collector.spans()).toEqual([]);
      client.close();
      expect(await postern.stop()).toBe(0);
      const names = collector.spans().map(({ name }) => name);
      expect(names).toEqual(['find_workspace', 'take_limits', 'postern.check']);
    } finally {
      client.close();
      await Promise.all([postern.kill(), collector.stop()]);
    }
  });
});
