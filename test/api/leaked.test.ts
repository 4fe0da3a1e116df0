import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  keysDocument,
  makeReporter,
  openDocumentServer,
  type Reporter,
} from './leaked-reporter.ts';
import { DECLARED_KEY, NOW_MS, openStage, POLICY, type Stage } from './stage.ts';

const reporter = makeReporter('key-1');
const FOUND = { type: 'postern_key', url: 'https://example.com/blob/1', source: 'content' };

/** A stage that hears a reporter, and what that reporter sends. */
async function openReceiver(action: 'revoke' | 'flag' = 'revoke') {
  const server = await openDocumentServer((_, out) => out.end(keysDocument(reporter)));
  const settings = `api_keys:\n  leaked: { action: ${action}, public_keys: "${server.url}" }`;
  const stage = await openStage(POLICY.replace('api_keys:', settings));
  const report = (found: unknown, by: Reporter = reporter) => {
    const body = typeof found === 'string' ? found : JSON.stringify(found);
    return send(stage, body, by.identifier, by.signs(body));
  };
  return {
    ...stage,
    report,
    asked: server.asked,
    [Symbol.asyncDispose]: async () => {
      await stage[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function send(stage: Pick<Stage, 'ask'>, body: string, identifier?: string, signature?: string) {
  return stage.ask('POST', '/v1/leaked-keys', {
    raw: body,
    headers: {
      'content-type': 'application/json',
      ...(identifier !== undefined && { 'github-public-key-identifier': identifier }),
      ...(signature !== undefined && { 'github-public-key-signature': signature }),
    },
  });
}

async function makeKey(stage: Pick<Stage, 'admin'>, more: object = {}) {
  const { body } = await stage.admin('POST', '/v1/api-keys', {
    ...{ name: 'k', prefix: 'pr_live_', workspace_id: 'acme', scopes: ['reports:read'], ...more },
  });
  return { id: body.id as string, raw: body.key as string };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

describe('a key that a scanner found', () => {
  test('is revoked for good, and the answer names it by its digest', async () => {
    await using stage = await openReceiver();
    const key = await makeKey(stage);
    const { status, body, text } = await stage.report([{ token: key.raw, ...FOUND }]);
    expect(status).toBe(200);
    expect(body).toEqual([
      { token_hash: digest(key.raw), token_type: 'postern_key', label: 'true_positive' },
    ]);
    expect(await stage.gateOn(key.raw)).toBe('key_revoked');
    const shown = (await stage.admin('GET', `/v1/api-keys/${key.id}`)).body;
    const at = new Date(NOW_MS).toISOString();
    expect(shown).toMatchObject({ status: 'revoked', revoked_because: 'leaked', leaked_at: at });
    const told = stage.events.slice(1).map(({ event, actor, reason, object, facts }) => ({
      ...{ event, actor, reason, id: object?.id, facts },
    }));
    const about = { actor: undefined, reason: 'leaked', id: key.id };
    expect(told).toEqual([
      { event: 'key.leaked', ...about, facts: FOUND },
      { event: 'key.revoked', ...about, facts: undefined },
    ]);
    expect(text + JSON.stringify(stage.events)).not.toContain(key.raw);
  });

  test('is flagged alone where the policy says so', async () => {
    await using stage = await openReceiver('flag');
    const key = await makeKey(stage);
    await stage.report([{ token: key.raw, ...FOUND }]);
    expect(await stage.gateOn(key.raw)).toBe('allow');
    const shown = (await stage.admin('GET', `/v1/api-keys/${key.id}`)).body;
    expect(shown).toMatchObject({ status: 'active', leaked_at: new Date(NOW_MS).toISOString() });
    expect(stage.events.slice(1).map(({ event }) => event)).toEqual(['key.leaked']);
  });

  test.each(['revoke', 'flag'] as const)(
    'is told once however often it is found (%s)',
    async (action) => {
      await using stage = await openReceiver(action);
      const key = await makeKey(stage);
      const found = { token: key.raw, ...FOUND };
      const first = await stage.report([found, found]);
      const count = stage.events.length;
      stage.clock.nowMs += 1000;
      const again = await stage.report([found]);
      expect(again.body).toEqual(first.body.slice(0, 1));
      expect(stage.events).toHaveLength(count);
    },
  );

  test('is revoked though it is disabled, and under the secret that is rotated out', async () => {
    await using stage = await openReceiver();
    const off = await makeKey(stage);
    await stage.admin('POST', `/v1/api-keys/${off.id}/disable`);
    const old = await makeKey(stage);
    await stage.admin('POST', `/v1/api-keys/${old.id}/rotate`, { grace_seconds: 60 });
    await stage.report([off, old].map(({ raw }) => ({ token: raw, ...FOUND })));
    for (const { id } of [off, old]) {
      expect((await stage.admin('GET', `/v1/api-keys/${id}`)).body.status).toBe('revoked');
    }
  });

  test('under a secret that nobody can use any more costs its key nothing', async () => {
    await using stage = await openReceiver();
    const key = await makeKey(stage);
    const rotated = await stage.admin('POST', `/v1/api-keys/${key.id}/rotate`);
    const { body } = await stage.report([{ token: key.raw, ...FOUND }]);
    expect(body[0].label).toBe('true_positive');
    expect(await stage.gateOn(rotated.body.key)).toBe('allow');
  });

  test('that the policy declares is told of, once for each place', async () => {
    await using stage = await openReceiver();
    const found = { token: DECLARED_KEY, ...FOUND };
    const { body } = await stage.report([found]);
    expect(body[0].label).toBe('true_positive');
    await stage.report([found, { ...found, url: 'https://example.com/blob/2' }]);
    expect(
      stage.events.map(({ event, object, workspace_id }) => [event, object?.id, workspace_id]),
    ).toEqual(Array(2).fill(['key.leaked', 'declared', 'acme']));
    expect(await stage.gateOn(DECLARED_KEY)).toBe('allow');
  });

  test('never stands in an event, wherever the report repeats it', async () => {
    await using stage = await openReceiver();
    const { raw } = await makeKey(stage);
    const url = `https://example.com/${raw}?key=${raw}&again=${encodeURIComponent(raw)}`;
    await stage.report([{ token: raw, type: raw, url, source: raw }]);
    expect(stage.events).toHaveLength(3);
    expect(JSON.stringify(stage.events)).not.toContain(raw.slice(8));
    const { text } = await stage.admin('GET', '/v1/audit-events');
    expect(text).not.toContain(raw.slice(8));
  });
});

describe('nothing is done about', () => {
  test.each([
    ['a publishable key', async (stage: Stage) => (await makeKey(stage, { prefix: 'pk_' })).raw],
    ['a key that nobody has', async () => 'old_nobody_has_this_one'],
    [
      'a key with a wrong checksum',
      async (stage: Stage) => `${(await makeKey(stage)).raw.slice(0, -1)}!`,
    ],
    ['a text of another kind', async () => 'AKIA0123456789ABCDEF'],
  ])('%s', async (_, tokenOf) => {
    await using stage = await openReceiver();
    const raw = await tokenOf(stage);
    const before = stage.events.length;
    const { body } = await stage.report([{ token: raw, ...FOUND }]);
    expect(body).toEqual([
      { token_hash: digest(raw), token_type: 'postern_key', label: 'false_positive' },
    ]);
    expect(stage.events).toHaveLength(before);
    expect(stage.events.every(({ event }) => event === 'key.created')).toBe(true);
  });
});

describe('a report is refused, and nothing is done,', () => {
  const stranger = { ...makeReporter('key-1') };
  const unknown = makeReporter('key-2');
  type Sender = (stage: Stage, body: string) => ReturnType<typeof send>;
  const cases: readonly (readonly [it: string, sender: Sender, status: number])[] = [
    ['without a signature', (stage, body) => send(stage, body, 'key-1'), 401],
    [
      'without an identifier',
      (stage, body) => send(stage, body, undefined, reporter.signs(body)),
      401,
    ],
    [
      'signed by another key',
      (stage, body) => send(stage, body, 'key-1', stranger.signs(body)),
      401,
    ],
    [
      'signed by an unknown key',
      (stage, body) => send(stage, body, 'key-2', unknown.signs(body)),
      401,
    ],
    [
      'with another body than was signed',
      (stage, body) => send(stage, `${body} `, 'key-1', reporter.signs(body)),
      401,
    ],
    ['with a signature that is none', (stage, body) => send(stage, body, 'key-1', 'none'), 401],
  ];

  test.each(cases)('%s', async (_, sender, status) => {
    await using stage = await openReceiver();
    const { raw } = await makeKey(stage);
    const refused = await sender(stage, JSON.stringify([{ token: raw, ...FOUND }]));
    expect([refused.status, refused.body.reason]).toEqual([status, 'signature_invalid']);
    expect(await stage.gateOn(raw)).toBe('allow');
    expect(refused.text).not.toContain(raw);
  });

  test.each([
    ['that is no JSON', '{', 400],
    ['that is no list', '{"token":"x"}', 422],
    ['with an item without a token', '[{"type":"x"}]', 422],
    ['of more than a thousand', JSON.stringify(Array(1001).fill({ token: 'x' })), 422],
  ])('with a body %s', async (_, body, status) => {
    await using stage = await openReceiver();
    const refused = await stage.report(body);
    expect(refused.status).toBe(status);
  });

  test('of more than 256 KiB', async () => {
    await using stage = await openReceiver();
    const refused = await stage.report(JSON.stringify([{ token: 'x'.repeat(262_144) }]));
    expect([refused.status, refused.body.reason]).toEqual([413, 'too_large']);
  });

  test('where the policy names no reporter', async () => {
    await using stage = await openStage();
    const body = JSON.stringify([{ token: DECLARED_KEY }]);
    const refused = await send(stage, body, 'key-1', reporter.signs(body));
    expect([refused.status, refused.body.reason]).toEqual([404, 'not_found']);
  });

  test('while the public keys cannot be had, and the operator is told', async () => {
    const text = POLICY.replace(
      'api_keys:',
      'api_keys:\n  leaked: { public_keys: "file:///nowhere/keys.json" }',
    );
    await using stage = await openStage(text);
    const body = JSON.stringify([{ token: DECLARED_KEY }]);
    const refused = await send(stage, body, 'key-1', reporter.signs(body));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(stage.failures).toHaveLength(1);
    expect(stage.events).toEqual([]);
  });
});

test('a thousand tokens are taken at once', async () => {
  await using stage = await openReceiver();
  const { raw } = await makeKey(stage);
  const tokens = Array.from({ length: 999 }, (_, at) => ({
    token: `old_${String(at).padStart(12, '0')}`,
  }));
  const { status, body } = await stage.report([...tokens, { token: raw }]);
  expect([status, body.length]).toEqual([200, 1000]);
  expect(body.at(-1).label).toBe('true_positive');
  expect(await stage.gateOn(raw)).toBe('key_revoked');
});
