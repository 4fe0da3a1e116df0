import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BODIES,
  CONTENT_TYPES,
  HEADERS,
  idsOf,
  mutations,
  NASTY_IDS,
  operationsOf,
  type Row,
  STRAY_NAMES,
  sampleOf,
} from './attack-ammunition.ts';
import { type Castle, CUT_OFF, type Hit, openCastle, type Shot } from './attack-castle.ts';

const MEBIBYTE = 1024 * 1024;
/** An answer that tells what is wrong needs no more. */
const ANSWER_CHARS_MAX = 100_000;

let castle: Castle;
let rows: readonly Row[];
let ids: { readonly [path: string]: string };

beforeAll(async () => {
  castle = await openCastle();
  rows = operationsOf(castle.document);
  ids = await idsOf(castle);
});
afterAll(() => castle?.stop());

const json = { 'content-type': 'application/json' };

function shotAt({ method, path }: Row, shot: Partial<Shot> = {}): Shot {
  const target = path.replace(/\{\w+\}/, () => ids[path.split('{')[0] ?? ''] ?? 'absent');
  return { method, path: target, ...shot };
}

/** Sends all of them; each must be refused in the words of the document, and nothing may come of it. */
async function expectRefused(
  shots: readonly Shot[],
  more: (hit: Hit, at: number) => readonly string[] = () => [],
) {
  const before = await castle.dump();
  const wrong: string[] = [];
  for (const [at, shot] of shots.entries()) {
    const hit = await castle.shoot(shot);
    const told = `${shot.method} ${shot.path.slice(0, 100)} ${JSON.stringify(shot.headers)?.slice(0, 120)} ${String(shot.body).slice(0, 120)}`;
    const problems = [...faultsOf(hit), ...castle.judge(shot, hit), ...more(hit, at)];
    wrong.push(...problems.map((problem) => `${told} -> ${hit.status}: ${problem}`));
  }
  expect(wrong.slice(0, 40)).toEqual([]);
  expect(await castle.dump()).toBe(before);
}

function faultsOf({ status, headers, text, body }: Hit): readonly string[] {
  const wrong: string[] = [];
  if (status < 400 || status > 499) wrong.push(`not refused: ${text.slice(0, 200)}`);
  if (headers['content-type'] !== 'application/problem+json') wrong.push('no problem body');
  if (body['status'] !== status || typeof body['reason'] !== 'string') wrong.push('no reason');
  if (headers['cache-control'] !== 'no-store') wrong.push('may be cached');
  if (text.length > ANSWER_CHARS_MAX) wrong.push(`the refusal has ${text.length} characters`);
  return wrong;
}

/** Whether a literal path is also an id of another row. */
function isShadowed(path: string, method: string): boolean {
  const parent = path.replace(/\/[^/]+$/, '/');
  return rows.some((row) => row.method === method && row.path.replace(/\{\w+\}$/, '') === parent);
}

function pointersOf({ body }: Hit): readonly string[] {
  const { errors } = body;
  return Array.isArray(errors) ? errors.map((one) => String(Object(one)['pointer'])) : [];
}

/** Rows whose body is read before anything else is judged. */
function bodied(): readonly Row[] {
  return rows.filter(({ operation }) => operation.requestBody);
}

describe('every row of the document refuses, stores nothing, and lives', () => {
  test('a body that is no JSON of its own', async () => {
    const shots = bodied().flatMap((row) =>
      BODIES.map(({ body }) => shotAt(row, { headers: json, body })),
    );
    await expectRefused(shots);
  });

  test('a body of another type', async () => {
    const shots = bodied().flatMap((row) =>
      CONTENT_TYPES.map((type) =>
        shotAt(row, {
          headers: type === '' ? {} : { 'content-type': type },
          body: JSON.stringify(sampleOf(row, castle.document)),
        }),
      ),
    );
    await expectRefused(shots);
  });

  test.for([
    ['with its length', false],
    ['in pieces', true],
  ] as const)('a body of ten megabytes %s', async ([, isChunked]) => {
    const text = JSON.stringify({ name: 'x'.repeat(10 * MEBIBYTE) });
    const before = await castle.dump();
    for (const row of bodied()) {
      const shot = shotAt(row, { headers: json, body: text, isChunked });
      const hit = await castle.shoot(shot);
      expect([413, CUT_OFF.status], `${shot.method} ${shot.path}`).toContain(hit.status);
    }
    expect(await castle.dump()).toBe(before);
  });

  test('a body one byte too long, and valid but for that', async () => {
    const shots = bodied().flatMap((row) => {
      const text = JSON.stringify(sampleOf(row, castle.document)).padEnd(256 * 1024 + 1);
      return [false, true].map((isChunked) =>
        shotAt(row, { headers: json, body: text, isChunked }),
      );
    });
    await expectRefused(shots, ({ status }) => (status === 413 ? [] : ['expected 413']));
  });

  test('wrong values of every field, each named by its pointer', async () => {
    const cases = bodied().flatMap((row) => mutations(row, castle.document));
    const shots = cases.map(({ row, body }) => shotAt(row, { headers: json, body }));
    await expectRefused(shots, (hit, at) => {
      const pointer = cases[at]?.pointer ?? '';
      if (hit.status !== 422) return hit.status === 401 ? [] : ['expected 422'];
      const isNamed =
        pointer === '' ||
        pointersOf(hit).some((one) => one === pointer || one.startsWith(`${pointer}/`));
      return isNamed ? [] : [`expected ${pointer} among ${pointersOf(hit)}`];
    });
  });

  test('members that no row knows, at the top and below', async () => {
    const cases = bodied().flatMap((row) => {
      const sample = JSON.stringify(sampleOf(row, castle.document));
      if (!sample.startsWith('{')) return [];
      const rest = sample === '{}' ? '' : `,${sample.slice(1, -1)}`;
      return STRAY_NAMES.map((name) => ({
        pointer: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        shot: shotAt(row, { headers: json, body: `{${JSON.stringify(name)}:{"a":1}${rest}}` }),
      }));
    });
    await expectRefused(
      cases.map(({ shot }) => shot),
      (hit, at) => (pointersOf(hit).includes(cases[at]?.pointer ?? '') ? [] : ['not named']),
    );
  });

  test.for([
    ['metadata', '{"a":{"__proto__":{"isAdmin":true}}}'],
    ['metadata', '{"__proto__":null}'],
    ['metadata', '{"a":[{"b":"\\ud800"}]}'],
    ['metadata', '{"\\udfff":1}'],
    ['metadata', `${'{"a":'.repeat(32)}1${'}'.repeat(32)}`],
    ['metadata', `{"a":"${'x'.repeat(16 * 1024)}"}`],
    ['metadata', '{"a":1e999}'],
    ['rate_limit', '{"__proto__":{"per_minute":5}}'],
    ['rate_limit', '{"per_minute":9007199254740993}'],
    ['rate_limit', '{"constructor":1}'],
    ['allowed_origins', '{"allow":[],"__proto__":{}}'],
    ['allowed_referers', '{"allow":["a.example.com"],"missing":"maybe"}'],
    ['expires_at', '"+275760-09-13T00:00:00.000Z"'],
    ['expires_at', '"9999-12-31T23:59:59-23:59"'],
  ])('a key with %s that nobody can mean (case %#)', async ([field, value]) => {
    const body = `{"name":"a","prefix":"pst_live_","${field}":${value}}`;
    const { method } = { method: 'POST' };
    await expectRefused([{ method, path: '/v1/api-keys', headers: json, body }]);
  });

  test('what may be shown of an imported key holds no control characters', async () => {
    const hash = `sha256:${'ab'.repeat(32)}`;
    const bodies = ['old_\u0000', 'old_\u001b[2', 'old_a\n', 'old_\u202e', 'old_é'].map(
      (key_prefix) => JSON.stringify({ name: 'a', prefix: 'old_', hash, key_prefix }),
    );
    await expectRefused(
      bodies.map((body) => ({ method: 'POST', path: '/v1/api-keys/import', headers: json, body })),
    );
  });

  test('thousands of wrong items are not answered one by one', async () => {
    const ones = `[${'1,'.repeat(80_000)}1]`;
    const many = Array.from({ length: 20_000 }, (_, at) => `"x${at}":1`).join(',');
    const bodies = [
      `{"name":"a","scopes":${ones}}`,
      `{${many}}`,
      `{"metadata":{${many.replaceAll('"x', '"\\ud800')}}}`,
    ];
    await expectRefused(
      bodies.map((body) => ({ method: 'POST', path: '/v1/api-keys', headers: json, body })),
    );
  });
});

describe('what stands around a body', () => {
  test('ids that lead elsewhere', async () => {
    const shots = rows
      .filter(({ path }) => path.includes('{'))
      .flatMap(({ method, path, operation }) =>
        NASTY_IDS.map((id) => ({
          method,
          path: path.replace(/\{\w+\}/, () => id),
          ...(operation.requestBody && { headers: json, body: '{}' }),
        })),
      );
    await expectRefused(shots.map((shot) => ({ ...shot })));
  });

  test('methods that no row has are 405 with those that it has', async () => {
    const shots = [...new Set(rows.map(({ path }) => path))].flatMap((path) => {
      const known = rows.filter((row) => row.path === path).map((row) => row.method);
      return ['PUT', 'DELETE', 'PATCH', 'POST', 'OPTIONS', 'PROPFIND', 'SEARCH']
        .filter((method) => !known.includes(method) && !isShadowed(path, method))
        .map((method) => ({ method, path: path.replace(/\{\w+\}/, 'absent') }));
    });
    await expectRefused(shots, ({ status, headers }) =>
      status === 405 && headers.allow !== undefined ? [] : ['expected 405 with Allow'],
    );
  });

  test('If-Match and Idempotency-Key in a form that nobody can mean', async () => {
    const shots = rows.flatMap((row) => {
      const names = (row.operation.parameters ?? []).map(({ name }) => name.toLowerCase());
      return HEADERS.filter(([name]) => names.includes(name)).map(([name, value]) =>
        shotAt(row, {
          headers: { ...json, [name]: value },
          ...(row.operation.requestBody && {
            body: JSON.stringify(sampleOf(row, castle.document)),
          }),
        }),
      );
    });
    expect(shots.length).toBeGreaterThan(20);
    await expectRefused(shots);
  });

  test('query parameters that are unknown, repeated or wrong', async () => {
    const limits = [
      '0',
      '-1',
      '201',
      '1.5',
      '',
      'x',
      '1e2',
      '0x10',
      ' 1',
      '1 ',
      'NaN',
      '９',
      '50,50',
    ];
    const shots = rows
      .filter(({ method }) => method === 'GET')
      .filter(({ path }) => path.startsWith('/v1/'))
      .flatMap((row) => {
        const isList = (row.operation.parameters ?? []).some(({ name }) => name === 'limit');
        const listed = limits.map((limit) => `limit=${encodeURIComponent(limit)}`);
        const queries = ['nonsense=1', '__proto__=1', 'constructor=1', '%00=1', '%ff=1', '=1'];
        const cursors = ['x', 'e30', '%00', 'bnVsbA', 'W10', 'a'.repeat(3000)].map(
          (one) => `cursor=${one}`,
        );
        const all = isList ? [...queries, ...listed, ...cursors, 'limit=1&limit=2'] : queries;
        return all.map((query) => ({ ...shotAt(row), path: `${shotAt(row).path}?${query}` }));
      });
    await expectRefused(shots);
  });

  test.for(['api-keys', 'workspaces', 'users', 'teams', 'roles', 'audit-events'])(
    'a cursor of %s that was changed never breaks the list',
    async (list) => {
      const { body } = await castle.ask('GET', `/v1/${list}?limit=1`);
      if (typeof body['next_cursor'] !== 'string') throw new Error('expected a second page');
      const cursor = JSON.parse(Buffer.from(body['next_cursor'], 'base64url').toString());
      const places = [
        '',
        'x',
        '\u0000',
        '\u0000\u0000',
        '..',
        '{}',
        '[]',
        '9'.repeat(400),
        '0|1',
        'null',
        '\n',
      ];
      for (const change of [
        ...places.map((after) => ({ after })),
        { declared: -1 },
        { declared: 1e300 },
        { declared: Number.MAX_SAFE_INTEGER },
        { after: {} },
        { filters: '' },
      ]) {
        const text = Buffer.from(JSON.stringify({ ...cursor, ...change })).toString('base64url');
        const shot = { path: `/v1/${list}?limit=1&cursor=${text}` };
        const hit = await castle.shoot(shot);
        expect([200, 400], `${JSON.stringify(change)}: ${hit.text}`).toContain(hit.status);
        expect(castle.judge(shot, hit)).toEqual([]);
      }
    },
  );
});

test('after all of it the process serves, and nothing of it was taken for a failure', async () => {
  const { status } = await castle.ask('GET', '/v1/api-keys');
  expect(status).toBe(200);
  const errors = castle.postern
    .stderr()
    .split('\n')
    .filter((line) => line.includes('"level":50'));
  expect(errors).toEqual([]);
});
