import { describe, expect, test } from 'vitest';
import { ADMIN, NOW_MS, openStage, pointers, type Stage, token } from './stage.ts';

const BODY = { name: 'one', prefix: 'pr_live_', scopes: ['reports:read'] };

async function make(stage: Stage): Promise<string> {
  return `/v1/api-keys/${(await stage.admin('POST', '/v1/api-keys', BODY)).body.id}`;
}

describe('If-Match', () => {
  test('of two changes with the same ETag one is made, and the other is 412', async () => {
    await using stage = await openStage();
    const path = await make(stage);
    const headers = { 'if-match': '"1"' };
    const came = await Promise.all([
      stage.admin('PATCH', path, { name: 'a' }, headers),
      stage.admin('PATCH', path, { name: 'b' }, headers),
    ]);
    expect(came.map((one) => one.status).sort()).toEqual([200, 412]);
    const lost = came.find((one) => one.status === 412);
    expect(lost?.body.reason).toBe('version_mismatch');
  });

  test.each([
    ['the version that stands', '"1"', 200],
    ['any', '*', 200],
    ['another version', '"2"', 412],
    ['an ETag that is none of ours', '"abc"', 412],
    ['a leading zero', '"01"', 412],
    ['a weak ETag', 'W/"1"', 400],
    ['no ETag', '1', 400],
    ['two', '"1", "2"', 400],
  ])('%s', async (_, value, status) => {
    await using stage = await openStage();
    const path = await make(stage);
    const came = await stage.admin('PATCH', path, { name: 'a' }, { 'if-match': value });
    expect(came.status).toBe(status);
  });

  test('without it concurrent changes are all made', async () => {
    await using stage = await openStage();
    const path = await make(stage);
    const came = await Promise.all([
      stage.admin('PATCH', path, { name: 'a' }),
      stage.admin('PATCH', path, { description: 'b' }),
      stage.admin('PATCH', path, { metadata: { c: 1 } }),
    ]);
    expect(came.map((one) => one.status)).toEqual([200, 200, 200]);
    const read = await stage.admin('GET', path);
    expect(read.body).toMatchObject({ name: 'a', description: 'b', metadata: { c: 1 } });
  });

  test('a change that races a revocation never brings the key back', async () => {
    await using stage = await openStage();
    const path = await make(stage);
    await Promise.all([
      stage.admin('DELETE', path),
      stage.admin('PATCH', path, { name: 'a' }),
      stage.admin('POST', `${path}/rotate`, {}),
      stage.admin('POST', `${path}/enable`),
    ]);
    expect((await stage.admin('GET', path)).body.status).toBe('revoked');
  });
});

describe('Idempotency-Key', () => {
  const headers = { 'idempotency-key': 'one' };

  test('the same again gets the same answer, and nothing is made twice', async () => {
    await using stage = await openStage();
    const first = await stage.admin('POST', '/v1/api-keys', BODY, headers);
    const again = await stage.admin('POST', '/v1/api-keys', BODY, headers);
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers.get('etag')).toBe('"1"');
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await stage.admin('GET', '/v1/api-keys?prefix=pr_')).body.data).toHaveLength(1);
    expect(stage.events).toHaveLength(1);
  });

  test('a rotation is done once', async () => {
    await using stage = await openStage();
    const path = `${await make(stage)}/rotate`;
    const first = await stage.admin('POST', path, undefined, headers);
    const again = await stage.admin('POST', path, undefined, headers);
    expect(again.body).toEqual(first.body);
    expect(await stage.gateOn(again.body.key)).toBe('allow');
  });

  test('another body is 422, another path, caller or day is another request', async () => {
    await using stage = await openStage();
    await stage.admin('POST', '/v1/api-keys', BODY, headers);
    const other = await stage.admin('POST', '/v1/api-keys', { ...BODY, name: 'two' }, headers);
    expect([other.status, other.body.reason]).toEqual([422, 'idempotency_key_reused']);
    const as = await token({ scope: 'api_keys:write reports:read', org: 'acme' });
    const foreign = await stage.ask('POST', '/v1/api-keys', { as, body: BODY, headers });
    expect(foreign.headers.get('idempotency-replayed')).toBeNull();
    stage.clock.nowMs = NOW_MS + 24 * 3_600_000;
    const late = await stage.admin('POST', '/v1/api-keys', BODY, headers);
    expect([late.status, late.headers.get('idempotency-replayed')]).toEqual([201, null]);
  });

  test('of many at once one is worked on; the others wait their turn or get its answer', async () => {
    await using stage = await openStage();
    const came = await Promise.all(
      Array.from({ length: 10 }, () => stage.admin('POST', '/v1/api-keys', BODY, headers)),
    );
    const made = came.filter((one) => one.status === 201);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map((one) => one.body.id)).size).toBe(1);
    for (const one of came) {
      if (one.status !== 201)
        expect([one.status, one.body.reason]).toEqual([409, 'request_in_flight']);
    }
    expect((await stage.admin('GET', '/v1/api-keys?prefix=pr_')).body.data).toHaveLength(1);
  });

  test('two processes on one store make one key between them', async () => {
    await using stage = await openStage();
    await using twin = await openStage(undefined, { store: stage.store });
    const came = await Promise.all(
      [stage, twin].map((one) => one.admin('POST', '/v1/api-keys', BODY, headers)),
    );
    expect(came.map((one) => one.status)).toEqual([201, 201]);
    expect(came[0]?.body).toEqual(came[1]?.body);
    expect((await stage.admin('GET', '/v1/api-keys?prefix=pr_')).body.data).toHaveLength(1);
  });

  test('a refusal is not kept', async () => {
    await using stage = await openStage();
    const bad = await stage.admin('POST', '/v1/api-keys', { ...BODY, scopes: ['x:y'] }, headers);
    expect(bad.status).toBe(422);
    expect((await stage.admin('POST', '/v1/api-keys', BODY, headers)).status).toBe(201);
  });

  test.each(['', ' ', 'a b', 'x'.repeat(256), 'é'])('the key %j is 400', async (value) => {
    await using stage = await openStage();
    const sent = { 'idempotency-key': value };
    const came = await stage.admin('POST', '/v1/api-keys', BODY, sent);
    expect([came.status, pointers(came)]).toEqual([400, ['/idempotency-key']]);
  });

  test('what the store keeps holds neither the raw key nor what opens it', async () => {
    await using stage = await openStage();
    const kept: string[] = [];
    const store = {
      ...stage.store,
      commit: (commit: Parameters<typeof stage.store.commit>[0]) => {
        kept.push(Buffer.from(commit.answer?.sealed ?? []).toString('latin1'));
        kept.push(JSON.stringify({ ...commit, answer: { ...commit.answer, sealed: '' } }));
        return stage.store.commit(commit);
      },
    };
    await using watched = await openStage(undefined, { store });
    const made = await watched.admin('POST', '/v1/api-keys', BODY, headers);
    const { key } = made.body;
    expect(kept).toHaveLength(2);
    for (const text of kept) {
      for (const secret of [key, key.slice(10), ADMIN]) expect(text).not.toContain(secret);
    }
  });

  test('an answer opens for the credential that got it alone', async () => {
    await using stage = await openStage();
    const claims = { scope: 'api_keys:write reports:read', org: 'acme' };
    const one = await token(claims);
    const renewed = await token({ ...claims, jti: 'another' });
    const first = await stage.ask('POST', '/v1/api-keys', { as: one, body: BODY, headers });
    const again = await stage.ask('POST', '/v1/api-keys', { as: one, body: BODY, headers });
    expect(again.body).toEqual(first.body);
    const late = await stage.ask('POST', '/v1/api-keys', { as: renewed, body: BODY, headers });
    expect([late.status, late.body.reason]).toEqual([409, 'answer_sealed']);
  });
});
