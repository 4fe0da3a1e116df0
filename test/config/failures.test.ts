import { expect, test } from 'vitest';
import { compile, load } from './policy-file.ts';

const ROUTE = (more: string) => `routes: [{ path: /a, access: [api_key], ${more} }]\n`;

test.each<[string, string, readonly string[]]>([
  [
    'a limit on failures of somebody who is not known when it counts',
    ROUTE('limits: [{ by: key, on: refused, per_minute: 5 }]'),
    [
      'policy.yaml:1:56 routes[0].limits[0].by: a limit on: refused counts by ip: nobody else is known yet',
    ],
  ],
  [
    'a limit on failures where nobody is refused',
    'routes: [{ path: /a, access: public, limits: [{ by: ip, on: refused, per_minute: 5 }] }]\n',
    [
      'policy.yaml:1:61 routes[0].limits[0].on: a public route refuses no credential: nothing would count',
    ],
  ],
  [
    'a limit on failures without a window',
    ROUTE('limits: [{ on: refused }]'),
    ['policy.yaml:1:50 routes[0].limits[0]: expected a window such as per_minute'],
  ],
  [
    'a rule on failures without a window',
    `alerts: { failures: [{ by: ip, block: 5m }, { by: key, per_day: 9 }] }\n${ROUTE('')}`,
    ['policy.yaml:1:22 alerts.failures[0]: expected a window such as per_minute'],
  ],
])('%s is a problem', (_, text, problems) => {
  expect(load(text).problems).toEqual(problems);
});

test('a limit on failures may stand in the defaults of a policy that has public routes', () => {
  const { problems } = load(`
defaults: { limits: [{ on: refused, per_minute: 5 }] }
routes: [{ path: /open, access: public }, { path: /v1/**, access: [api_key] }]
`);
  expect(problems).toEqual([]);
});

test('a limit on: refused counts by ip, whatever limit_by says, and each failure as one', async () => {
  const { routes } = await compile(
    `limit_by: username\n${ROUTE('cost: 9, limits: [{ on: refused, per_minute: 5 }, { per_minute: 9 }]')}`,
  );
  const told = routes[0]?.limits.map(({ name, by, on }) => ({ name, by, on }));
  expect(told).toEqual([
    { name: 'limit-1', by: 'ip', on: 'refused' },
    { name: 'limit-2', by: 'username', on: 'all' },
  ]);
});

test('failures raise alerts and block nobody, unless a policy says so', async () => {
  const { alerts } = await compile(ROUTE(''));
  const windows = [{ limit: 60, lengthMs: 60_000 }];
  expect(alerts.failures).toEqual([
    { by: 'ip', windows, blockMs: undefined },
    { by: 'key', windows, blockMs: undefined },
  ]);
});
