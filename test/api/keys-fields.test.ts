import { describe, expect, test } from 'vitest';
import { ADMIN, DECLARED_HASH, NOW_MS, openStage, pointers, sha256 } from './stage.ts';

const GOOD = { name: 'one', prefix: 'pr_live_' };
const HASH = `sha256:${sha256('old_whatever')}`;

describe('a body is refused with a pointer to each wrong field', () => {
  test.each([
    ['nothing', {}, ['/name']],
    ['an empty name', { ...GOOD, name: '' }, ['/name']],
    ['a name of two lines', { ...GOOD, name: 'a\nb' }, ['/name']],
    ['unknown fields', { ...GOOD, nmae: 1, key: 'x' }, ['/key', '/nmae']],
    [
      'names of prototypes',
      { ...GOOD, constructor: {}, toString: 1 },
      ['/constructor', '/toString'],
    ],
    ['a status', { ...GOOD, status: 'active' }, ['/status']],
    ['wrong types', { ...GOOD, scopes: 'a', roles: [1] }, ['/roles/0', '/scopes']],
    [
      'scopes and roles that do not exist',
      { ...GOOD, scopes: ['reports:read', 'x:y'], roles: ['boss'] },
      ['/roles/0', '/scopes/1'],
    ],
    ['a wildcard that covers nothing', { ...GOOD, scopes: ['api_keys:*'] }, ['/scopes/0']],
    ['a malformed wildcard', { ...GOOD, scopes: ['rep*'] }, ['/scopes/0']],
    [
      'a plan and a route that do not exist',
      { ...GOOD, plan: 'gold', allowed_routes: ['nowhere'] },
      ['/allowed_routes/0', '/plan'],
    ],
    [
      'malformed addresses',
      { ...GOOD, allowed_ips: ['10.0.0.1', '10/8', '::1%eth0'] },
      ['/allowed_ips/1', '/allowed_ips/2'],
    ],
    [
      'malformed origins',
      { ...GOOD, allowed_origins: { allow: ['a.example.com', 'https://a/b'] } },
      ['/allowed_origins/allow/1'],
    ],
    ['a malformed referer', { ...GOOD, allowed_referers: ['a b'] }, ['/allowed_referers/0']],
    [
      'an end in the past',
      { ...GOOD, expires_at: new Date(NOW_MS).toISOString() },
      ['/expires_at'],
    ],
    ['an end that is no time', { ...GOOD, expires_at: 'tomorrow' }, ['/expires_at']],
    ['a day that no month has', { ...GOOD, expires_at: '2030-02-30T00:00:00Z' }, ['/expires_at']],
    [
      'an end beyond the calendar',
      { ...GOOD, expires_at: '9999-12-31T23:59:59-12:00' },
      ['/expires_at'],
    ],
    ['large metadata', { ...GOOD, metadata: { a: 'x'.repeat(16 * 1024) } }, ['/metadata']],
    ['metadata that is no object', { ...GOOD, metadata: [] }, ['/metadata']],
    ['a lone surrogate', { ...GOOD, metadata: { a: '\ud800' } }, ['/metadata/a']],
    ['a bucket without a rate', { ...GOOD, rate_limit: { burst: 5 } }, ['/rate_limit/burst']],
    ['a rate of zero', { ...GOOD, rate_limit: { per_minute: 0 } }, ['/rate_limit/per_minute']],
    ['a prefix that does not exist', { name: 'a', prefix: 'xx_' }, ['/prefix']],
    ['two prefixes that fit', { name: 'a' }, ['/prefix']],
    ['an environment that no prefix has', { name: 'a', environment: 'moon' }, ['/environment']],
    ['an environment that the prefix has not', { ...GOOD, environment: 'test' }, ['/environment']],
    ['a workspace that does not exist', { ...GOOD, workspace_id: 'nowhere' }, ['/workspace_id']],
    ['a personal key of nobody', { ...GOOD, kind: 'personal' }, ['/owner']],
    ['a team that does not exist', { ...GOOD, kind: 'team', owner: 'x' }, ['/owner']],
    ['a service key with an owner', { ...GOOD, owner: 'x' }, ['/owner']],
  ])('%s', async (_, body, wanted) => {
    await using stage = await openStage();
    const came = await stage.admin('POST', '/v1/api-keys', body);
    expect([came.status, [...pointers(came)].sort()]).toEqual([422, wanted]);
    expect((await stage.admin('GET', '/v1/api-keys?prefix=p')).body.data).toEqual([]);
    expect(stage.events).toEqual([]);
  });

  test('a member named __proto__, wherever it stands', async () => {
    await using stage = await openStage();
    const raw =
      '{"name":"a","prefix":"pr_live_","__proto__":{"x":1},"metadata":{"a":{"__proto__":1}}}';
    const headers = { 'content-type': 'application/json' };
    const came = await stage.ask('POST', '/v1/api-keys', { as: ADMIN, raw, headers });
    expect(came.status).toBe(422);
    expect([...pointers(came)].sort()).toEqual(['/__proto__', '/metadata/a/__proto__']);
  });

  test('a refusal never shows what was sent', async () => {
    await using stage = await openStage();
    const secret = 'pr_live_a_secret_that_somebody_pasted';
    const came = await stage.admin('POST', '/v1/api-keys', {
      ...GOOD,
      allowed_ips: [secret],
      allowed_origins: [secret],
      expires_at: secret,
      kind: secret,
      scopes: [`${secret} `],
    });
    expect(came.status).toBe(422);
    expect(came.text).not.toContain(secret);
  });
});

describe('a prefix is chosen by name, by environment, or because it is the only one', () => {
  test.each([
    ['by name', { prefix: 'pr_test_' }, 'pr_test_', 'test'],
    ['by environment', { environment: 'live' }, 'pr_live_', 'live'],
    ['by both', { prefix: 'pr_live_', environment: 'live' }, 'pr_live_', 'live'],
    ['publishable, by name', { prefix: 'pk_' }, 'pk_', null],
  ])('%s', async (_, body, prefix, environment) => {
    await using stage = await openStage();
    const came = await stage.admin('POST', '/v1/api-keys', { name: 'a', ...body });
    expect(came.body.key.startsWith(prefix)).toBe(true);
    expect(came.body.environment).toBe(environment);
  });

  test('the only one', async () => {
    await using stage = await openStage('routes: [{ path: /x, access: [api_key] }]');
    const came = await stage.admin('POST', '/v1/api-keys', { name: 'a' });
    expect(came.body.key).toMatch(/^pst_/);
  });
});

describe('an import is refused', () => {
  test.each([
    ['under a prefix with a checksum', { prefix: 'pr_live_' }, ['/prefix']],
    ['without a prefix', { prefix: undefined }, ['/prefix']],
    ['by a raw key', { hash: 'old_whatever_this_is_the_raw_key' }, ['/hash']],
    [
      'when more of the key is to be shown than may be',
      { key_prefix: 'old_abcde' },
      ['/key_prefix'],
    ],
    ['when something else is to be shown', { key_prefix: 'x' }, ['/key_prefix']],
  ])('%s', async (_, more, wanted) => {
    await using stage = await openStage();
    const body = { name: 'a', prefix: 'old_', hash: HASH, ...more };
    const came = await stage.admin('POST', '/v1/api-keys/import', body);
    expect([came.status, pointers(came)]).toEqual([422, wanted]);
  });

  test('when the policy declares its hash', async () => {
    await using stage = await openStage();
    const body = { name: 'a', prefix: 'old_', hash: `sha256:${DECLARED_HASH}` };
    const came = await stage.admin('POST', '/v1/api-keys/import', body);
    expect([came.status, came.body.reason]).toEqual([409, 'already_exists']);
  });
});

describe('a change names its fields, and null clears', () => {
  test('every field that may change', async () => {
    await using stage = await openStage();
    const made = await stage.admin('POST', '/v1/api-keys', GOOD);
    const path = `/v1/api-keys/${made.body.id}`;
    const fields = {
      name: 'two',
      description: 'a text',
      scopes: ['reports:*'],
      roles: ['viewer'],
      plan: 'pro',
      rate_limit: { per_minute: 5, burst: 2 },
      allowed_ips: ['192.0.2.0/24'],
      allowed_referers: ['app.example.com'],
      allowed_origins: { allow: ['app.example.com'], missing: 'deny' },
      allowed_routes: ['reports'],
      username: 'ci',
      hide_credentials: true,
      metadata: { a: [1, null] },
      expires_at: '2030-01-01T00:00:00.000Z',
    };
    const changed = await stage.admin('PATCH', path, fields);
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"']);
    expect(changed.body).toMatchObject(fields);
    const cleared = await stage.admin('PATCH', path, {
      description: null,
      plan: null,
      rate_limit: null,
      allowed_ips: null,
      allowed_referers: null,
      allowed_origins: null,
      allowed_routes: null,
      username: null,
      metadata: null,
      expires_at: null,
    });
    const { key: _, ...first } = made.body;
    const kept = { name: 'two', scopes: ['reports:*'], roles: ['viewer'], hide_credentials: true };
    expect(cleared.body).toEqual({ ...first, ...kept });
  });

  test('what may not change is an unknown field', async () => {
    await using stage = await openStage();
    const made = await stage.admin('POST', '/v1/api-keys', GOOD);
    const came = await stage.admin('PATCH', `/v1/api-keys/${made.body.id}`, {
      id: 'x',
      kind: 'team',
      owner: 'x',
      prefix: 'pk_',
      environment: 'test',
      workspace_id: 'acme',
      status: 'active',
    });
    const wanted = ['environment', 'id', 'kind', 'owner', 'prefix', 'status', 'workspace_id'];
    expect([...pointers(came)].sort()).toEqual(wanted.map((name) => `/${name}`));
  });

  test('a change of nothing is no change', async () => {
    await using stage = await openStage();
    const made = await stage.admin('POST', '/v1/api-keys', GOOD);
    const came = await stage.admin('PATCH', `/v1/api-keys/${made.body.id}`, { name: 'one' });
    expect(came.headers.get('etag')).toBe('"1"');
    expect(stage.events).toHaveLength(1);
  });
});

describe('keys that the policy declares', () => {
  test('are shown read-only, and first', async () => {
    await using stage = await openStage();
    await stage.admin('POST', '/v1/api-keys', GOOD);
    const listed = await stage.admin('GET', '/v1/api-keys');
    expect(
      listed.body.data.map((one: { id: string; read_only: boolean }) => one.read_only),
    ).toEqual([true, false]);
    const read = await stage.admin('GET', '/v1/api-keys/declared');
    expect(read.body).toMatchObject({ name: 'Declared', workspace_id: 'acme', read_only: true });
    expect(read.text).not.toContain(DECLARED_HASH);
  });

  test.each([
    ['PATCH', '', { name: 'x' }],
    ['DELETE', '', undefined],
    ['POST', '/rotate', {}],
    ['POST', '/disable', undefined],
    ['POST', '/enable', undefined],
  ])('%s%s is 409 read_only', async (method, more, body) => {
    await using stage = await openStage();
    const came = await stage.admin(method, `/v1/api-keys/declared${more}`, body);
    expect([came.status, came.body.reason]).toEqual([409, 'read_only']);
  });
});
