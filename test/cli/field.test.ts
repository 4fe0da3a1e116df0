import { expect, test } from 'vitest';
import { readArguments } from '../../src/cli/arguments.ts';
import { bodyOf, CLEAR_OPTION, changeOf, optionsOf } from '../../src/cli/field.ts';
import { KEYS } from '../../src/cli/key-resource.ts';
import { UsageError } from '../../src/cli/usage.ts';

const NOW_MS = Date.parse('2026-06-15T12:00:00Z');

function read(args: readonly string[], make: typeof bodyOf) {
  const options = { ...optionsOf(KEYS.fields), ...CLEAR_OPTION };
  return make(KEYS.fields, readArguments({ name: 'keys create', options }, args), NOW_MS);
}

const BODIES: readonly (readonly [readonly string[], object])[] = [
  [[], {}],
  [
    ['--name', 'CI', '--kind=team', '--workspace', 'acme'],
    { name: 'CI', kind: 'team', workspace_id: 'acme' },
  ],
  [['--scopes', ' a:read , b:*,'], { scopes: ['a:read', 'b:*'] }],
  [['--scopes='], { scopes: [] }],
  [['--rate-limit', 'per_minute=30,burst=10'], { rate_limit: { per_minute: 30, burst: 10 } }],
  [['--rate-limit', '{"per_day": 5}'], { rate_limit: { per_day: 5 } }],
  [['--allowed-ips', '192.0.2.0/24,2001:db8::1'], { allowed_ips: ['192.0.2.0/24', '2001:db8::1'] }],
  [['--allowed-referers', 'a.example.com'], { allowed_referers: ['a.example.com'] }],
  [
    ['--allowed-origins', '{"allow":["a.example.com"],"missing":"deny"}'],
    { allowed_origins: { allow: ['a.example.com'], missing: 'deny' } },
  ],
  [['--hide-credentials'], { hide_credentials: true }],
  [['--metadata', 'team=web,note=a=b'], { metadata: { team: 'web', note: 'a=b' } }],
  [['--metadata', '{"deep":{"n":1}}'], { metadata: { deep: { n: 1 } } }],
  [['--expires-at', '2027-01-31T00:00:00Z'], { expires_at: '2027-01-31T00:00:00Z' }],
  [['--expires-in', '30d'], { expires_at: '2026-07-15T12:00:00.000Z' }],
];

test.each(BODIES)('%j become fields', (args, expected) => {
  expect(read(args, bodyOf)).toEqual(expected);
});

const WRONG: readonly (readonly [readonly string[], string])[] = [
  [['--rate-limit', 'per_minute=hunter2'], '--rate-limit: expected whole numbers'],
  [['--rate-limit', 'per_minute=-1'], '--rate-limit: expected whole numbers'],
  [['--rate-limit', 'per_minute'], '--rate-limit: expected name=value pairs'],
  [['--rate-limit', 'burst=1,burst=2'], '--rate-limit: expected each name once'],
  [['--metadata', '{hunter2'], '--metadata: expected JSON'],
  [['--metadata', '=hunter2'], '--metadata: expected name=value pairs'],
  [['--metadata', '__proto__=hunter2'], '--metadata: expected name=value pairs'],
  [['--expires-at', 'hunter2'], '--expires-at: expected a time such as'],
  [['--expires-at', '2027-02-30T00:00:00Z'], '--expires-at: expected a time such as'],
  [['--expires-in', '1 month'], '--expires-in: expected a duration'],
  [['--expires-in', '999999999d'], '--expires-in: expected an end before the year 10000'],
  [
    ['--expires-at', '2027-01-31T00:00:00Z', '--expires-in', '1d'],
    '--expires-in: expires-at is given in another way too',
  ],
];

test.each(WRONG)('%j is refused, and no value repeated', (args, expected) => {
  expect(() => read(args, bodyOf)).toThrow(UsageError);
  expect(() => read(args, bodyOf)).toThrow(expected);
  expect(() => read(args, bodyOf)).not.toThrow('hunter2');
});

test('clear sets a field to nothing: null, or what stands for nothing where it has to be there', () => {
  const args = [
    '--clear',
    'allowed-ips,rate_limit',
    '--clear=--scopes',
    '--clear=hide-credentials',
  ];
  expect(read([...args, '--name', 'b'], changeOf)).toEqual({
    name: 'b',
    allowed_ips: null,
    rate_limit: null,
    scopes: [],
    hide_credentials: false,
  });
});

test('clear refuses unknown fields and those that are set beside it', () => {
  expect(() => read(['--clear', 'quux'], changeOf)).toThrow('--clear: expected one of name,');
  expect(() => read(['--clear', 'plan', '--plan', 'pro'], changeOf)).toThrow(
    'it is set by another option',
  );
  expect(() => read(['--clear', 'expires-in'], changeOf)).toThrow('--clear: expected one of');
});
