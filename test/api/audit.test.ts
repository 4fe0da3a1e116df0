import { describe, expect, test } from 'vitest';
import { NOW_MS, openStage, type Stage, token } from './stage.ts';

const SECOND = 1000;

/** Four changes, a second apart: a user and a key in acme, a user in other, and the key revoked. */
async function openHistory() {
  const stage = await openStage();
  const tick = () => {
    stage.clock.nowMs += SECOND;
  };
  await stage.admin('POST', '/v1/users', { id: 'ada', workspace_id: 'acme' });
  tick();
  const as = await token({ sub: 'bo', org: 'acme', scope: 'api_keys:write' });
  const made = await stage.ask('POST', '/v1/api-keys', {
    ...{ as, body: { name: 'k', prefix: 'pr_live_' } },
  });
  tick();
  await stage.admin('POST', '/v1/users', { id: 'cy', workspace_id: 'other' });
  tick();
  await stage.admin('DELETE', `/v1/api-keys/${made.body.id}`);
  return { stage, keyId: made.body.id as string };
}

async function eventsOf(stage: Stage, query: string, as?: string): Promise<readonly string[]> {
  const path = `/v1/audit-events${query}`;
  const { status, body } = as
    ? await stage.ask('GET', path, { as })
    : await stage.admin('GET', path);
  expect(status).toBe(200);
  return body.data.map(
    (one: { event: string; workspace_id: string }) => `${one.event} ${one.workspace_id}`,
  );
}

test('events come the newest first, with who, what, when and what changed', async () => {
  const { stage, keyId } = await openHistory();
  await using _ = stage;
  const { body, text } = await stage.admin('GET', '/v1/audit-events');
  expect(body.data.map(({ event }: { event: string }) => event)).toEqual([
    ...['key.revoked', 'user.created', 'key.created', 'user.created'],
  ]);
  expect(body.data[0]).toEqual({
    id: expect.stringMatching(/^[0-9A-Za-z]{27}-\d{7}$/),
    time: new Date(NOW_MS + 3 * SECOND).toISOString(),
    event: 'key.revoked',
    workspace_id: 'acme',
    actor: { kind: 'admin', id: 'admin', username: null },
    object: { kind: 'key', id: keyId },
    reason: 'request',
    before: expect.objectContaining({ status: 'active' }),
    after: expect.objectContaining({ status: 'revoked' }),
    request_id: expect.any(String),
    address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
    facts: null,
  });
  expect(body.data[2].actor).toEqual({ kind: 'jwt', id: 'bo', username: 'bo' });
  expect(text).not.toMatch(/[0-9a-f]{64}/);
});

describe('a filter', () => {
  const at = (seconds: number) =>
    encodeURIComponent(new Date(NOW_MS + seconds * SECOND).toISOString());
  test.each([
    ['by event', '?event=user.created', ['user.created other', 'user.created acme']],
    ['by kind of event', '?event=key.*', ['key.revoked acme', 'key.created acme']],
    ['by object', '?object=cy', ['user.created other']],
    ['by actor', '?actor=bo', ['key.created acme']],
    ['by reason', '?reason=request', ['key.revoked acme']],
    ['by workspace', '?workspace_id=other', ['user.created other']],
    ['by no workspace', '?workspace_id=', []],
    ['from a time on', `?from=${at(2)}`, ['key.revoked acme', 'user.created other']],
    ['before a time', `?to=${at(1)}`, ['user.created acme']],
    ['between two times', `?from=${at(1)}&to=${at(3)}`, ['user.created other', 'key.created acme']],
    ['of several kinds', '?event=user.*&workspace_id=acme&actor=admin', ['user.created acme']],
    ['that meets nothing', '?event=team.created', []],
  ])('%s', async (_, query, want) => {
    const { stage } = await openHistory();
    await using __ = stage;
    expect(await eventsOf(stage, query)).toEqual(want);
  });

  test.each([
    ['an event that is none', '?event=*'],
    ['a time that is none', '?from=yesterday'],
    ['an unknown one', '?colour=red'],
    ['one twice', '?event=key.*&event=user.*'],
    ['a limit beyond 200', '?limit=201'],
  ])('%s is refused', async (_, query) => {
    await using stage = await openStage();
    const refused = await stage.admin('GET', `/v1/audit-events${query}`);
    expect([refused.status, refused.body.reason]).toEqual([400, 'malformed_query']);
  });
});

describe('who may read events', () => {
  test('somebody of a workspace with audit:read sees its own alone', async () => {
    const { stage } = await openHistory();
    await using _ = stage;
    const as = await token({ org: 'acme', scope: 'audit:read' });
    const own = ['key.revoked acme', 'key.created acme', 'user.created acme'];
    expect(await eventsOf(stage, '', as)).toEqual(own);
    expect(await eventsOf(stage, '?workspace_id=acme', as)).toEqual(own);
    expect(await eventsOf(stage, '?workspace_id=other', as)).toEqual([]);
    expect(await eventsOf(stage, '?object=cy', as)).toEqual([]);
  });

  test('somebody without a workspace sees what belongs to none', async () => {
    const { stage } = await openHistory();
    await using _ = stage;
    await stage.admin('POST', '/v1/users', { id: 'free' });
    const as = await token({ scope: 'audit:read' });
    expect(await eventsOf(stage, '', as)).toEqual(['user.created null']);
  });

  test('nobody does without the scope', async () => {
    await using stage = await openStage();
    const as = await token({ org: 'acme', scope: 'users:read api_keys:read *' });
    const refused = await stage.ask('GET', '/v1/audit-events', { as });
    expect([refused.status, refused.body.reason]).toEqual([403, 'insufficient_scope']);
  });
});

test('pages neither repeat nor lose an event while others happen', async () => {
  await using stage = await openStage();
  const make = (at: number) => stage.admin('POST', '/v1/users', { id: `u${at}` });
  for (let at = 0; at < 7; at += 1) await make(at);
  const seen: string[] = [];
  let path: string | undefined = '/v1/audit-events?limit=3';
  for (let page = 0; page < 9 && path !== undefined; page += 1) {
    const { body, headers } = await stage.admin('GET', path);
    seen.push(...body.data.map((one: { object: { id: string } }) => one.object.id));
    path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
    stage.clock.nowMs += SECOND;
    await make(100 + page);
  }
  expect(seen.sort()).toEqual(['u0', 'u1', 'u2', 'u3', 'u4', 'u5', 'u6']);
});
