import { describe, expect, test } from 'vitest';
import { type Alert, alertEvent } from '../../src/core/alert.ts';
import { NOW_MS, openStage, type Stage, token } from './stage.ts';

const SECOND = 1000;

const RAISED: readonly Alert[] = [
  {
    ...{ name: 'failures_from_source', timeMs: NOW_MS, subject: 'a', address: '192.0.2.1' },
    facts: { failures: '60', seconds: '60' },
  },
  {
    ...{ name: 'new_country', timeMs: NOW_MS + SECOND, subject: 'k1', workspace: 'acme' },
    ...{ keyId: 'k1', address: '192.0.2.2', requestId: 'r-1', facts: { country: 'CH' } },
  },
  {
    ...{ name: 'new_network', timeMs: NOW_MS + 2 * SECOND, subject: 'k2', workspace: 'other' },
    ...{ keyId: 'k2', facts: { network: 'AS64500' } },
  },
];

/** Three alerts, a second apart, and a change that is none. */
async function openHistory() {
  const stage = await openStage();
  for (const [at, alert] of RAISED.entries())
    stage.store.recordEvent(alertEvent(alert, `id-${at}`, at));
  await stage.admin('POST', '/v1/users', { id: 'ada', workspace_id: 'acme' });
  await stage.store.flush();
  return stage;
}

async function namesOf(stage: Stage, query: string, as?: string): Promise<readonly string[]> {
  const path = `/v1/alerts${query}`;
  const { status, body } = as
    ? await stage.ask('GET', path, { as })
    : await stage.admin('GET', path);
  expect(status).toBe(200);
  return body.data.map(({ alert }: { alert: string }) => alert);
}

test('alerts come the newest first, and nothing else does', async () => {
  await using stage = await openHistory();
  expect(await namesOf(stage, '')).toEqual([
    ...['new_network', 'new_country', 'failures_from_source'],
  ]);
  const { body } = await stage.admin('GET', '/v1/alerts?alert=new_country');
  expect(body.data).toEqual([
    {
      id: 'id-1',
      time: new Date(NOW_MS + SECOND).toISOString(),
      alert: 'new_country',
      severity: 'high',
      title: 'A key is used from a country it was never used from',
      workspace_id: 'acme',
      key_id: 'k1',
      address: '192.0.2.2',
      request_id: 'r-1',
      suppressed: 1,
      facts: { country: 'CH' },
    },
  ]);
});

describe('a filter', () => {
  const at = (seconds: number) =>
    encodeURIComponent(new Date(NOW_MS + seconds * SECOND).toISOString());
  test.each([
    ['by name', '?alert=new_network', ['new_network']],
    ['by key', '?key=k1', ['new_country']],
    ['by workspace', '?workspace_id=other', ['new_network']],
    ['by no workspace', '?workspace_id=', ['failures_from_source']],
    ['from a time on', `?from=${at(1)}`, ['new_network', 'new_country']],
    ['before a time', `?to=${at(1)}`, ['failures_from_source']],
    ['that meets nothing', '?alert=unusual_requests', []],
  ])('%s', async (_, query, want) => {
    await using stage = await openHistory();
    expect(await namesOf(stage, query)).toEqual(want);
  });

  test.each([
    ['a name that is none', '?alert=old_country'],
    ['an unknown one', '?event=alert.*'],
  ])('%s is refused', async (_, query) => {
    await using stage = await openStage();
    const refused = await stage.admin('GET', `/v1/alerts${query}`);
    expect([refused.status, refused.body.reason]).toEqual([400, 'malformed_query']);
  });
});

test('pages go on where the one before ended', async () => {
  await using stage = await openHistory();
  const { body } = await stage.admin('GET', '/v1/alerts?limit=2');
  expect(body.data).toHaveLength(2);
  expect(await namesOf(stage, `?limit=2&cursor=${body.next_cursor}`)).toEqual([
    'failures_from_source',
  ]);
});

test('somebody with audit:read sees those of its workspace alone', async () => {
  await using stage = await openHistory();
  const as = await token({ org: 'acme', scope: 'audit:read' });
  expect(await namesOf(stage, '', as)).toEqual(['new_country']);
  expect(await namesOf(stage, '?workspace_id=other', as)).toEqual([]);
});

test('nobody sees them without the scope', async () => {
  await using stage = await openHistory();
  const as = await token({ org: 'acme', scope: 'users:read api_keys:read *' });
  const refused = await stage.ask('GET', '/v1/alerts', { as });
  expect([refused.status, refused.body.reason]).toEqual([403, 'insufficient_scope']);
});
