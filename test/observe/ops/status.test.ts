import { describe, expect, test } from 'vitest';
import type { StatusReading } from '../../../src/observe/ops/reading.ts';
import { createStatusWatch, writeStatus } from '../../../src/observe/ops/status.ts';
import { NOW_MS, SOUND, TROUBLED } from './stage.ts';

/** A watch over a process that the test changes, and whose clock it moves. */
function open(first: StatusReading) {
  const now = { reading: first, ms: NOW_MS };
  const { look } = createStatusWatch({ read: () => now.reading, now: () => now.ms });
  return {
    look,
    /** The states after some time, and since when they are so, in seconds from the first look. */
    states: (reading: StatusReading, afterMs: number) => {
      now.reading = reading;
      now.ms += afterMs;
      const { state, since, components } = look();
      const seconds = (time: Date) => (time.getTime() - NOW_MS) / 1000;
      return {
        overall: [state, seconds(since)],
        ...Object.fromEntries(components.map((one) => [one.name, [one.state, seconds(one.since)]])),
      };
    },
  };
}

const CERTIFICATE = { notBeforeMs: NOW_MS - 80_000, notAfterMs: NOW_MS + 20_000, isLoaded: true };
const NODE = { node: 'redis:6379', breaker: 'closed', sinceMs: NOW_MS } as const;
const REDIS = { kind: 'redis', isUp: true, isDegraded: false, nodes: [NODE] };
const SET = { issuer: 'id', status: 'fresh', keys: 2 } as const;

/** What happens, and the states it gives a component and the whole. */
type Case = readonly [
  name: string,
  change: Partial<StatusReading>,
  want: readonly [component: string, state: string, overall: string],
];

const CASES: readonly Case[] = [
  ['a draining gate', { unready: ['draining'] }, ['gate', 'down', 'down']],
  [
    'a management API that found no place',
    { hasApi: false },
    ['management_api', 'degraded', 'degraded'],
  ],
  ['a store that answers', { store: REDIS }, ['store', 'ok', 'ok']],
  [
    'a store that is left out at times',
    { store: { ...REDIS, isDegraded: true } },
    ['store', 'degraded', 'degraded'],
  ],
  [
    'a store that is gone, while decisions go on',
    { store: { ...REDIS, isUp: false, isDegraded: true } },
    ['store', 'down', 'degraded'],
  ],
  [
    'a store that never answered',
    { store: { ...REDIS, isUp: false }, unready: ['store'] },
    ['store', 'down', 'down'],
  ],
  [
    'a policy that could not be read again',
    { policy: { ...SOUND.policy, failedSinceMs: NOW_MS } },
    ['policy', 'degraded', 'degraded'],
  ],
  ['fresh key sets', { keySets: [SET, SET] }, ['key_sets', 'ok', 'ok']],
  [
    'a stale key set',
    { keySets: [SET, { ...SET, status: 'stale' }] },
    ['key_sets', 'degraded', 'degraded'],
  ],
  [
    'a key set on its way',
    { keySets: [{ ...SET, status: 'loading' }] },
    ['key_sets', 'degraded', 'degraded'],
  ],
  [
    'a key set that failed',
    { keySets: [{ ...SET, status: 'failed' }, SET] },
    ['key_sets', 'down', 'degraded'],
  ],
  [
    'a certificate with a fifth of its life',
    { certificate: CERTIFICATE },
    ['certificate', 'ok', 'ok'],
  ],
  [
    'a certificate with less than a tenth of it',
    { certificate: { ...CERTIFICATE, notAfterMs: NOW_MS + 8000 } },
    ['certificate', 'degraded', 'degraded'],
  ],
  [
    'a certificate that ended',
    { certificate: { ...CERTIFICATE, notAfterMs: NOW_MS } },
    ['certificate', 'down', 'degraded'],
  ],
  [
    'a certificate whose successor cannot be read',
    { certificate: { ...CERTIFICATE, isLoaded: false } },
    ['certificate', 'degraded', 'degraded'],
  ],
  [
    'a sink that loses',
    { audit: [{ sink: 'file', dropped: 1 }] },
    ['audit', 'degraded', 'degraded'],
  ],
  [
    'a wiring that undoes the policy',
    { wiring: ['failure_mode_allow'] },
    ['wiring', 'degraded', 'degraded'],
  ],
];

describe('a state', () => {
  test.each(CASES)('%s', (_name, change, [component, state, overall]) => {
    const status = open({ ...SOUND, ...change }).look();
    expect(status.components.find(({ name }) => name === component)).toMatchObject({ state });
    expect(status.state).toBe(overall);
    const others = status.components.filter(
      ({ name, state: its }) => name !== component && its !== 'ok',
    );
    expect(others.map(({ name }) => name)).toEqual(
      overall === 'down' && component === 'store' ? ['gate'] : [],
    );
  });

  test('what a process has not is not shown', () => {
    const names = open({ ...SOUND, audit: [] })
      .look()
      .components.map(({ name }) => name);
    expect(names).toEqual(['gate', 'management_api', 'store', 'policy', 'wiring']);
  });
});

describe('since when', () => {
  test('is when it was first seen so, and stays while it is so', () => {
    const { states } = open(SOUND);
    const ill = { ...SOUND, wiring: ['long_timeout'] } as const;
    expect(states(SOUND, 0)).toMatchObject({ overall: ['ok', 0], wiring: ['ok', 0] });
    expect(states(ill, 5000)).toMatchObject({
      overall: ['degraded', 5],
      wiring: ['degraded', 5],
      gate: ['ok', 0],
    });
    expect(states(ill, 5000)).toMatchObject({ overall: ['degraded', 5], wiring: ['degraded', 5] });
    const stopping = { ...ill, unready: ['draining'] };
    expect(states(stopping, 5000)).toMatchObject({ overall: ['down', 15], gate: ['down', 15] });
    expect(states(SOUND, 5000)).toMatchObject({ overall: ['ok', 20], wiring: ['ok', 20] });
  });

  test('a server of the store tells it itself', () => {
    const sinceMs = NOW_MS - 7000;
    const store = { ...REDIS, nodes: [{ ...NODE, sinceMs }] };
    const { components } = open({ ...SOUND, store }).look();
    const nodes = components.find(({ name }) => name === 'store')?.items?.of;
    expect(nodes).toMatchObject([{ name: 'redis:6379', since: new Date(sinceMs) }]);
  });

  test('a loss of the audit is forgiven after ten minutes, each loss anew', () => {
    const { states } = open(SOUND);
    const lost = (dropped: number) => ({ ...SOUND, audit: [{ sink: 'stdout', dropped }] });
    expect(states(lost(0), 0)).toMatchObject({ audit: ['ok', 0] });
    expect(states(lost(3), 1000)).toMatchObject({ audit: ['degraded', 1] });
    expect(states(lost(3), 599_000)).toMatchObject({ audit: ['degraded', 1] });
    expect(states(lost(3), 1000)).toMatchObject({ audit: ['ok', 601] });
    expect(states(lost(4), 1000)).toMatchObject({ audit: ['degraded', 602] });
  });
});

test('a status for programs', () => {
  expect(JSON.parse(JSON.stringify(writeStatus(open(TROUBLED).look())))).toMatchObject({
    ...{ state: 'degraded', product: 'Acme Gate', version: '1.2.3' },
    ...{ started: '2026-11-21T09:00:00.000Z', time: '2026-11-21T12:30:00.000Z' },
    uptime_seconds: 12_600,
    components: {
      gate: { state: 'ok', since: '2026-11-21T12:30:00.000Z', message: 'It answers Envoy.' },
      store: {
        ...{ state: 'degraded', kind: 'redis' },
        nodes: [
          { name: 'redis-0.redis:6379', state: 'ok', breaker: 'closed' },
          { name: 'redis-1.redis:6379', state: 'down', since: '2026-11-21T12:28:30.000Z' },
        ],
      },
      policy: { hash: 'abc123', failing_since: '2026-11-21T12:29:30.000Z' },
      key_sets: {
        issuers: [
          { name: 'https://id.example.com', status: 'fresh', keys: 2 },
          { name: 'partners', status: 'stale', last_failure: '2026-11-21T12:29:55.000Z' },
        ],
      },
      certificate: { state: 'ok', until: '2026-11-22T12:30:00.000Z' },
      audit: { sinks: [{ name: 'stdout' }, { name: 'webhook', waiting_events: 120 }] },
      wiring: { warnings: [{ name: 'long_timeout', meaning: expect.any(String) }] },
    },
  });
});
