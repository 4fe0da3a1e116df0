import { expect, test } from 'vitest';
import { NOW_MS, openStage, type Stage, sha256 } from './stage.ts';

const DAY_MS = 86_400_000;

async function make(stage: Stage, more: Readonly<Record<string, unknown>> = {}) {
  const body = { name: 'one', prefix: 'pr_live_', scopes: ['reports:read'], ...more };
  const made = await stage.admin('POST', '/v1/api-keys', body);
  expect(made.status).toBe(201);
  return made;
}

test('a key is made, and its raw text is in that answer alone', async () => {
  await using stage = await openStage();
  const made = await make(stage, {
    metadata: { team: 'a' },
    expires_at: '2027-01-01T00:00:00+02:00',
  });
  const { key, ...shown } = made.body;
  expect(key).toMatch(/^pr_live_[0-9A-Za-z]{38}$/);
  expect(shown).toEqual({
    id: expect.stringMatching(/^[0-9A-Za-z]{27}$/),
    workspace_id: null,
    name: 'one',
    description: null,
    kind: 'service',
    owner: null,
    environment: 'live',
    key_prefix: key.slice(0, 10),
    scopes: ['reports:read'],
    roles: [],
    plan: null,
    rate_limit: null,
    allowed_ips: null,
    allowed_referers: null,
    allowed_origins: null,
    allowed_routes: null,
    username: null,
    hide_credentials: false,
    metadata: { team: 'a' },
    status: 'active',
    revoked_because: null,
    leaked_at: null,
    last_used_at: null,
    expires_at: '2026-12-31T22:00:00.000Z',
    created_at: '2026-06-15T12:00:00.000Z',
    created_by: 'admin',
    updated_at: '2026-06-15T12:00:00.000Z',
    rotated_at: '2026-06-15T12:00:00.000Z',
    previous_secret_until: null,
    read_only: false,
  });
  expect(made.headers.get('etag')).toBe('"1"');
  expect(made.headers.get('location')).toBe(`/v1/api-keys/${shown.id}`);
  expect(await stage.gateOn(key)).toBe('allow');
  const read = await stage.admin('GET', `/v1/api-keys/${shown.id}`);
  expect(read.body).toEqual(shown);
  const listed = await stage.admin('GET', '/v1/api-keys');
  const stored = await stage.store.listEvents({}, { limit: 10 });
  for (const told of [
    read.text,
    listed.text,
    JSON.stringify(stage.events),
    JSON.stringify(stored),
  ]) {
    expect(told).not.toContain(key);
    expect(told).not.toContain(key.slice(10));
    expect(told).not.toMatch(/[0-9a-f]{64}/);
  }
});

test('a rotation without grace ends the old secret now, and its holder is told that it has expired', async () => {
  await using stage = await openStage();
  const made = await make(stage);
  const turned = await stage.admin('POST', `/v1/api-keys/${made.body.id}/rotate`);
  expect(turned.status).toBe(200);
  expect(turned.body).toMatchObject({ id: made.body.id, previous_secret_until: null });
  expect(turned.headers.get('etag')).toBe('"2"');
  expect(await stage.gateOn(made.body.key)).toBe('key_expired');
  expect(await stage.gateOn(turned.body.key)).toBe('allow');
});

test('with grace both secrets work until its end, and not a millisecond longer', async () => {
  await using stage = await openStage();
  const made = await make(stage);
  const path = `/v1/api-keys/${made.body.id}/rotate`;
  const turned = await stage.admin('POST', path, { grace_seconds: 60 });
  expect(turned.body.previous_secret_until).toBe('2026-06-15T12:01:00.000Z');
  stage.clock.nowMs = NOW_MS + 59_999;
  expect(await stage.gateOn(made.body.key)).toBe('allow');
  stage.clock.nowMs = NOW_MS + 60_000;
  expect(await stage.gateOn(made.body.key)).toBe('key_expired');
  expect(await stage.gateOn(turned.body.key)).toBe('allow');
});

test('grace never outlives the end that the key had, though the rotation gives it a new one', async () => {
  await using stage = await openStage();
  const made = await make(stage, { expires_at: new Date(NOW_MS + 10_000).toISOString() });
  const turned = await stage.admin('POST', `/v1/api-keys/${made.body.id}/rotate`, {
    grace_seconds: 3600,
    expires_at: new Date(NOW_MS + DAY_MS).toISOString(),
  });
  expect(turned.body.previous_secret_until).toBe('2026-06-15T12:00:10.000Z');
  stage.clock.nowMs = NOW_MS + 10_000;
  expect(await stage.gateOn(made.body.key)).toBe('key_expired');
  expect(await stage.gateOn(turned.body.key)).toBe('allow');
});

test('at most two secrets live: a third ends the oldest at once', async () => {
  await using stage = await openStage();
  const first = await make(stage);
  const path = `/v1/api-keys/${first.body.id}/rotate`;
  const second = await stage.admin('POST', path, { grace_seconds: 600 });
  const third = await stage.admin('POST', path, { grace_seconds: 600 });
  expect(await stage.gateOn(first.body.key)).not.toBe('allow');
  expect(await stage.gateOn(second.body.key)).toBe('allow');
  expect(await stage.gateOn(third.body.key)).toBe('allow');
});

test('an expired key rotates only with a new end, a revoked one never', async () => {
  await using stage = await openStage();
  const made = await make(stage, { expires_at: new Date(NOW_MS + 1000).toISOString() });
  const path = `/v1/api-keys/${made.body.id}`;
  stage.clock.nowMs = NOW_MS + 1000;
  expect(await stage.gateOn(made.body.key)).toBe('key_expired');
  expect((await stage.admin('GET', path)).body.status).toBe('expired');
  const refused = await stage.admin('POST', `${path}/rotate`, {});
  expect([refused.status, refused.body.reason]).toEqual([409, 'key_ended']);
  const end = new Date(NOW_MS + DAY_MS).toISOString();
  const turned = await stage.admin('POST', `${path}/rotate`, { expires_at: end });
  expect(turned.body).toMatchObject({ status: 'active', expires_at: end });
  expect((await stage.admin('DELETE', path)).status).toBe(204);
  const late = await stage.admin('POST', `${path}/rotate`, { expires_at: end });
  expect([late.status, late.body.reason]).toEqual([409, 'key_revoked']);
});

test('disabling and enabling hold from the next check, and are idempotent', async () => {
  await using stage = await openStage();
  const made = await make(stage);
  const path = `/v1/api-keys/${made.body.id}`;
  const off = await stage.admin('POST', `${path}/disable`);
  expect(off.body.status).toBe('disabled');
  expect(await stage.gateOn(made.body.key)).toBe('key_disabled');
  const again = await stage.admin('POST', `${path}/disable`);
  expect([again.status, again.headers.get('etag')]).toEqual([200, off.headers.get('etag')]);
  const on = await stage.admin('POST', `${path}/enable`);
  expect(on.body.status).toBe('active');
  expect(await stage.gateOn(made.body.key)).toBe('allow');
  expect((await stage.admin('POST', `${path}/enable`)).headers.get('etag')).toBe('"3"');
});

test('revoking is for good; the record stays readable, and a second DELETE changes nothing', async () => {
  await using stage = await openStage();
  const made = await make(stage);
  const path = `/v1/api-keys/${made.body.id}`;
  expect((await stage.admin('DELETE', path)).status).toBe(204);
  expect(await stage.gateOn(made.body.key)).toBe('key_revoked');
  expect((await stage.admin('DELETE', path)).status).toBe(204);
  const read = await stage.admin('GET', path);
  expect(read.body).toMatchObject({ status: 'revoked', revoked_because: 'request' });
  expect(read.headers.get('etag')).toBe('"2"');
  for (const [method, more, body] of [
    ['PATCH', '', { name: 'x' }],
    ['POST', '/enable', undefined],
    ['POST', '/disable', undefined],
  ] as const) {
    const late = await stage.admin(method, path + more, body);
    expect([late.status, late.body.reason]).toEqual([409, 'key_revoked']);
  }
});

test.each(['/v1/api-keys', '/v1/api-keys/import'])(
  'a key is taken over by its hash at %s and used as it always was',
  async (path) => {
    await using stage = await openStage();
    const raw = 'old_a_key_from_before_postern';
    const body = {
      name: 'old',
      prefix: 'old_',
      hash: `sha256:${sha256(raw)}`,
      scopes: ['reports:read'],
    };
    const made = await stage.admin('POST', path, { ...body, key_prefix: 'old_a_' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ key_prefix: 'old_a_', environment: null });
    expect('key' in made.body).toBe(false);
    expect(await stage.gateOn(raw)).toBe('allow');
    const twice = await stage.admin('POST', path, body);
    expect([twice.status, twice.body.reason]).toEqual([409, 'already_exists']);
  },
);

test('every change is told in an event: who, what, before and after', async () => {
  await using stage = await openStage();
  const made = await make(stage);
  const path = `/v1/api-keys/${made.body.id}`;
  await stage.admin('PATCH', path, { name: 'two', scopes: [] });
  await stage.admin('POST', `${path}/rotate`, {});
  await stage.admin('POST', `${path}/disable`);
  await stage.admin('DELETE', path);
  const told = stage.events.map(({ event, actor, object, before, after }) => ({
    ...{ event, actor: actor?.kind, object: object?.id, before, after },
  }));
  const { id } = made.body;
  expect(told.map((one) => [one.event, one.actor, one.object])).toEqual([
    ['key.created', 'admin', id],
    ['key.updated', 'admin', id],
    ['key.rotated', 'admin', id],
    ['key.updated', 'admin', id],
    ['key.revoked', 'admin', id],
  ]);
  expect(told[1]).toMatchObject({
    before: { name: 'one', scopes: ['reports:read'] },
    after: { name: 'two', scopes: [] },
  });
  expect(told[3]).toMatchObject({ before: { status: 'active' }, after: { status: 'disabled' } });
  const listed = await stage.store.listEvents({ object: id }, { limit: 10 });
  const newestFirst = told.map((one) => one.event).reverse();
  expect(listed.items.map((one) => one.event)).toEqual(newestFirst);
});
