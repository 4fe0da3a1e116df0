import { afterEach, beforeEach, expect, test } from 'vitest';
import { NOW_MS } from '../api/stage.ts';
import { type Cli, openCli } from './on-stage.ts';

let cli: Cli;
beforeEach(async () => {
  cli = await openCli();
});
afterEach(async () => {
  await cli[Symbol.asyncDispose]();
});

test('shows a table, and says that there is more', async () => {
  for (const name of ['a', 'b', 'c']) await cli.create(`--name=${name}`, '--workspace=acme');
  const { code, out, err } = await cli.run(['keys', 'list', '--limit=2', '--workspace=acme']);
  expect(code).toBe(0);
  expect(out.split('\n')).toHaveLength(3);
  expect(out).toMatch(
    /^ID +NAME +KEY PREFIX +KIND +OWNER +WORKSPACE +STATUS +SCOPES +LAST USED +EXPIRES\n/,
  );
  expect(out).toMatch(/ acme +active +- +never +never$/);
  expect(err).toBe('the first 2; --all or --limit N shows more');
});

test('with --all follows the pages to the end, as one JSON document', async () => {
  await Promise.all(
    Array.from({ length: 230 }, (_, at) =>
      cli.stage.admin('POST', '/v1/api-keys', { name: `k${at}`, prefix: 'pr_test_' }),
    ),
  );
  const { out, err } = await cli.run(['keys', 'list', '--all', '--json']);
  const { data, next_cursor } = JSON.parse(out);
  expect(new Set(data.map(({ id }: { id: string }) => id)).size).toBe(231);
  expect({ next_cursor, err }).toEqual({ next_cursor: null, err: '' });
  const rows = (await cli.run(['keys', 'list', '--limit=210'])).out.split('\n');
  expect(rows).toHaveLength(211);
  const first = JSON.parse((await cli.run(['keys', 'list', '--limit=200', '--json'])).out);
  const rest = JSON.parse(
    (await cli.run(['keys', 'list', '--all', '--json', `--cursor=${first.next_cursor}`])).out,
  );
  expect([...first.data, ...rest.data]).toEqual(data);
});

test('of nothing is an empty document, and no table', async () => {
  expect(await cli.run(['keys', 'list', '--owner=nobody'])).toEqual({
    code: 0,
    out: '',
    err: 'none',
  });
  expect(JSON.parse((await cli.run(['keys', 'list', '--owner=nobody', '--json'])).out)).toEqual({
    data: [],
    next_cursor: null,
  });
});

test('ends when nobody reads it any more', async () => {
  await Promise.all(
    Array.from({ length: 260 }, () =>
      cli.stage.admin('POST', '/v1/api-keys', { name: 'k', prefix: 'pr_test_' }),
    ),
  );
  const { out } = await cli.run(['keys', 'list', '--all'], { heardLines: 10 });
  expect(out.split('\n')).toHaveLength(201);
});

const FILTERS: readonly (readonly [string, readonly string[]])[] = [
  ['--kind=team', ['of the team']],
  ['--owner=web', ['of the team']],
  ['--environment=test', ['tested']],
  ['--prefix=pr_test_', ['tested']],
  ['--status=disabled', ['off']],
  ['--unused-since=1h', ['tested', 'of the team', 'off']],
  ['--unused-since=2026-06-15T13:00:00Z', ['tested', 'of the team', 'off']],
];

test('narrows by every filter', async () => {
  await cli.run(['teams', 'create', '--workspace=acme', '--id=web']);
  const { id } = await cli.create('--name=off', '--workspace=acme');
  await cli.run(['keys', 'disable', id]);
  await cli.create('--name=of the team', '--workspace=acme', '--kind=team', '--owner=web');
  await cli.run(['keys', 'create', '--name=tested', '--prefix=pr_test_', '--workspace=acme']);
  cli.stage.clock.nowMs = NOW_MS + 7_200_000;
  for (const [filter, expected] of FILTERS) {
    const { out } = await cli.run(['keys', 'list', '--json', filter], {
      nowMs: cli.stage.clock.nowMs,
    });
    const names = JSON.parse(out).data.map(({ name }: { name: string }) => name);
    expect([filter, names.sort()]).toEqual([filter, [...expected].sort()]);
  }
});

test.each([
  ['--limit=0', '--limit: expected a number above zero'],
  ['--limit=many', '--limit: expected a number above zero'],
  ['--unused-since=soon', '--unused-since: expected a duration such as 30d, or an RFC 3339 time'],
])('%s is a wrong command line', async (option, expected) => {
  expect(await cli.run(['keys', 'list', option])).toEqual({ code: 2, out: '', err: expected });
});

test('tells which filter the API refused', async () => {
  const { code, err } = await cli.run(['keys', 'list', '--kind=robot']);
  expect(code).toBe(1);
  expect(err).toMatch(/kind \(--kind\): /);
});
