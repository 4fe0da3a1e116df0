import { describe, expect, test } from 'vitest';
import { NOW_MS, openStage, type Stage } from './stage.ts';

const HOUR_MS = 3_600_000;

async function fill(stage: Stage) {
  const made = async (name: string, more: object) => {
    const body = { name, prefix: 'pr_live_', ...more };
    return (await stage.admin('POST', '/v1/api-keys', body)).body as { id: string; key: string };
  };
  await stage.admin('POST', '/v1/users', { id: 'ada', workspace_id: 'acme' });
  const live = await made('live', {});
  await made('test', { prefix: 'pr_test_', workspace_id: 'acme' });
  await made('ada', { kind: 'personal', owner: 'ada', workspace_id: 'acme' });
  const off = await made('off', { workspace_id: 'other' });
  await stage.admin('POST', `/v1/api-keys/${off.id}/disable`);
  const gone = await made('gone', {});
  await stage.admin('DELETE', `/v1/api-keys/${gone.id}`);
  await made('short', { expires_at: new Date(NOW_MS + HOUR_MS).toISOString() });
  return { live };
}

describe('a list is narrowed', () => {
  test.each([
    ['?workspace_id=acme', ['Declared', 'ada', 'test']],
    ['?workspace=acme', ['Declared', 'ada', 'test']],
    ['?workspace_id=nowhere', []],
    ['?kind=personal', ['ada']],
    ['?kind=team', []],
    ['?owner=ada', ['ada']],
    ['?environment=test', ['test']],
    ['?status=disabled', ['off']],
    ['?status=revoked', ['gone']],
    ['?status=expired', ['short']],
    ['?status=active', ['Declared', 'ada', 'live', 'test']],
    ['?prefix=pr_test_', ['test']],
    ['?workspace_id=acme&kind=service', ['Declared', 'test']],
    ['?unused_since=2026-06-15T12:00:00Z', []],
    ['?unused_since=2026-06-15T12:00:01Z&environment=test', ['test']],
  ])('%s', async (query, wanted) => {
    await using stage = await openStage();
    await fill(stage);
    stage.clock.nowMs = NOW_MS + HOUR_MS;
    const came = await stage.admin('GET', `/v1/api-keys${query}`);
    const names = came.body.data.map((one: { name: string }) => one.name);
    expect([...names].sort()).toEqual(wanted);
  });
});

test('usage is told by hour and by day, refusals by reason', async () => {
  await using stage = await openStage();
  const { live } = await fill(stage);
  const use = (nowMs: number, reason?: string) =>
    stage.store.recordUse({ keyId: live.id, nowMs, reason });
  use(NOW_MS);
  use(NOW_MS, 'ip_not_allowed');
  use(NOW_MS - HOUR_MS);
  use(NOW_MS - 47 * HOUR_MS, 'rate_limited');
  use(NOW_MS - 60 * HOUR_MS);
  await stage.store.flush();
  const { hours, days } = (await stage.admin('GET', `/v1/api-keys/${live.id}/usage`)).body.data;
  expect([hours.length, days.length]).toEqual([48, 90]);
  const used = (one: { requests: number }) => one.requests > 0;
  expect(hours.filter(used)).toEqual([
    { start: '2026-06-13T13:00:00.000Z', requests: 1, refusals: 1, reasons: { rate_limited: 1 } },
    { start: '2026-06-15T11:00:00.000Z', requests: 1, refusals: 0, reasons: {} },
    { start: '2026-06-15T12:00:00.000Z', requests: 2, refusals: 1, reasons: { ip_not_allowed: 1 } },
  ]);
  expect(days.filter(used)).toEqual([
    { start: '2026-06-13T00:00:00.000Z', requests: 2, refusals: 1, reasons: { rate_limited: 1 } },
    { start: '2026-06-15T00:00:00.000Z', requests: 3, refusals: 1, reasons: { ip_not_allowed: 1 } },
  ]);
  const read = await stage.admin('GET', `/v1/api-keys/${live.id}`);
  expect(read.body.last_used_at).toBe('2026-06-15T12:00:00.000Z');
});
