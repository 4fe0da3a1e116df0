import { expect, test } from 'vitest';
import type { Policy } from '../../src/core/policy.ts';
import { WIRING_SIGNS, type WiringSign } from '../../src/core/wiring.ts';
import { decodeCheck } from '../../src/envoy/decode.ts';
import { readCheck } from '../../src/envoy/read.ts';
import { createWiringWatch } from '../../src/envoy/wiring.ts';
import { compile } from '../config/policy-file.ts';
import { type Asked, type Line, messageOf } from '../e2e/messages.ts';

const PEER = '203.0.113.9';
/** What a well wired Envoy adds to every request. */
const ADDED: readonly Line[] = [
  ['x-request-id', 'f3b1c2d4'],
  ['x-forwarded-proto', 'https'],
  ['x-forwarded-for', `198.51.100.1, ${PEER}`],
];
const without = (name: string) => ADDED.filter(([one]) => one !== name);
const and = (name: string, value: string): readonly Line[] => [...ADDED, [name, value]];

const ROUTE = 'routes: [{ path: /v1/**, access: [api_key] }]';
const CONTEXT = 'routes: [{ path: /v1/**, access: [api_key], context: { tier: gold } }]';
const ODD =
  'routes: [{ path: /v1/**, access: [api_key], path_allow: [encoded_slash, empty_segment] }]';
const HTTPS = `https_only: true\n${ROUTE}`;
const HOPS = `client_ip: { trusted_hops: 1 }\n${ROUTE}`;

type Shown = {
  readonly asked?: Asked;
  readonly policy?: string;
  readonly timeoutMs?: number;
  readonly times?: number;
};

/** The signs that a watch sees in the same question, asked so many times. */
async function signsOf(shown: Shown): Promise<readonly WiringSign[]> {
  const seen: WiringSign[] = [];
  const watch = createWiringWatch((sign) => seen.push(sign));
  show(watch, await compile(shown.policy ?? ROUTE), shown);
  return seen;
}

function show(watch: ReturnType<typeof createWiringWatch>, policy: Policy, shown: Shown): void {
  const bytes = messageOf({ lines: ADDED, address: PEER, ...shown.asked });
  const asked = decodeCheck(bytes);
  const request = readCheck(asked, policy, { byteLength: bytes.length, hostAddresses: new Set() });
  const sight = { asked, request, policy, timeoutMs: shown.timeoutMs ?? 245 };
  for (let time = 0; time < (shown.times ?? 1); time += 1) watch(sight);
}

type Row = readonly [sign: WiringSign, when: string, shown: Shown];

const ROWS: readonly Row[] = [
  [
    'failure_mode_allow',
    'an outer Envoy let it pass',
    { asked: { lines: and('x-envoy-auth-failure-mode-allowed', 'true') } },
  ],
  ['missing_timeout', 'there is no deadline', { timeoutMs: Number.POSITIVE_INFINITY }],
  ['short_timeout', 'there is little time again and again', { timeoutMs: 50, times: 20 }],
  ['long_timeout', 'there are ten seconds', { timeoutMs: 10_000 }],
  ['no_raw_headers', 'headers are joined', { asked: { lines: ADDED, encoding: 'joined' } }],
  ['request_id', 'it has no id', { asked: { lines: without('x-request-id') } }],
  ['request_body', 'a body came', { asked: { lines: and('x-envoy-auth-partial-body', 'false') } }],
  ['no_context', 'no context came for long', { policy: CONTEXT, times: 1000 }],
  [
    'https_unseen',
    'nobody says https',
    { policy: HTTPS, asked: { lines: without('x-forwarded-proto') } },
  ],
  [
    'use_remote_address',
    'the peer is not appended',
    { asked: { lines: ADDED, address: '192.0.2.5' } },
  ],
  [
    'hops_differ',
    'the last entry is another',
    { policy: HOPS, asked: { lines: ADDED, address: '192.0.2.5' } },
  ],
  [
    'hops_differ',
    'there are no entries',
    { policy: HOPS, asked: { lines: without('x-forwarded-for') } },
  ],
  [
    'internal_clients',
    'a client counts as internal',
    { asked: { lines: and('x-envoy-internal', 'true') } },
  ],
  [
    'internal_clients',
    'a client names a path',
    { asked: { lines: and('x-envoy-original-path', '/') } },
  ],
  ['escaped_slashes', 'one arrived', { asked: { lines: ADDED, path: '/v1/a%2Fb' } }],
  ['escaped_slashes', 'a backslash arrived', { asked: { lines: ADDED, path: '/v1/a%5cb?q' } }],
  ['merge_slashes', 'an empty segment arrived', { asked: { lines: ADDED, path: '/v1//b' } }],
  ['normalize_path', 'a dot segment arrived', { asked: { lines: ADDED, path: '/v1/../b' } }],
];

test.each(ROWS)('%s: %s', async (sign, _when, shown) => {
  expect(await signsOf(shown)).toEqual([sign]);
});

test('headers_allow_list and no_source_address: Envoy leaves out what it always has', async () => {
  const seen: WiringSign[] = [];
  const watch = createWiringWatch((sign) => seen.push(sign));
  const policy = await compile(ROUTE);
  const asked = { ...decodeCheck(messageOf({})), headers: new Map([['x-request-id', ['a']]]) };
  const request = readCheck(asked, policy, { byteLength: 1, hostAddresses: new Set() });
  watch({ asked: { ...asked, sourceAddress: undefined }, request, policy, timeoutMs: 245 });
  expect(seen).toEqual(['headers_allow_list', 'no_source_address']);
});

test.each<[string, Shown]>([
  ['all is well', {}],
  ['time runs short now and then', { timeoutMs: 50, times: 19 }],
  ['the time is not known', { timeoutMs: Number.NaN }],
  ['a query holds what a path may not', { asked: { lines: ADDED, path: '/v1/a?b=%2f//../' } }],
  ['a route takes odd paths', { policy: ODD, asked: { lines: ADDED, path: '/v1//a%2fb' } }],
  ['only some requests have no context', { policy: CONTEXT, times: 999 }],
  ['the peer is on this machine', { asked: { lines: ADDED, address: '127.0.0.1' } }],
])('nothing is seen: %s', async (_when, shown) => {
  expect(await signsOf(shown)).toEqual([]);
});

test('a sign is told once, and looked for again under no policy', async () => {
  const seen: WiringSign[] = [];
  const watch = createWiringWatch((sign) => seen.push(sign));
  for (const policy of [await compile(ROUTE), await compile(HOPS), await compile(ROUTE)]) {
    show(watch, policy, {
      asked: { lines: without('x-request-id').concat(ADDED.slice(2)) },
      times: 3,
    });
  }
  expect(seen.filter((sign) => sign === 'request_id')).toEqual(['request_id']);
});

test('one request with context rules its absence out', async () => {
  const seen: WiringSign[] = [];
  const watch = createWiringWatch((sign) => seen.push(sign));
  const policy = await compile(CONTEXT);
  show(watch, policy, { asked: { lines: ADDED, context: { tier: 'gold' } } });
  show(watch, policy, { times: 2000 });
  expect(seen).toEqual([]);
});

test('a message that holds no request says nothing', async () => {
  const seen: WiringSign[] = [];
  const watch = createWiringWatch((sign) => seen.push(sign));
  const policy = await compile(ROUTE);
  const asked = decodeCheck(new Uint8Array());
  const request = readCheck(asked, policy, { byteLength: 0, hostAddresses: new Set() });
  watch({ asked, request, policy, timeoutMs: 245 });
  expect(seen).toEqual([]);
});

test('every sign is shown here', () => {
  const shown = new Set([...ROWS.map(([sign]) => sign), 'headers_allow_list', 'no_source_address']);
  expect([...shown].sort()).toEqual(Object.keys(WIRING_SIGNS).sort());
});
