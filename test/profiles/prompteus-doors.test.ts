import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine } from '../envoy-harness/send.ts';
import {
  type Call,
  headersOf,
  identityOf,
  inOneMinute,
  inWaves,
  missing,
  outcomeOf,
} from './gate.ts';
import {
  APP,
  KEY,
  KEY_ID,
  LIMITS,
  type Prompteus,
  SECRET,
  SPOOFED,
  shared,
  startPrompteus,
} from './prompteus.ts';

const OFFICE = '203.0.113.9';
const WWW: HeaderLine = ['Referer', 'https://www.example.com/'];

let gate: Prompteus;

describeEnvoy('prompteus: neurons without a token', () => {
  beforeAll(async () => {
    gate = await startPrompteus();
  });
  beforeEach(() => gate.upstream.clear());
  afterAll(() => gate?.stop());

  describe('the public neuron', () => {
    test('keeps nothing of what the client says of itself, and no credential', async () => {
      const response = await gate.call('/neurons/acme/open?x=1&y=%20', {
        headers: [...SPOOFED, ['Accept', 'text/plain']],
        bearer: KEY,
      });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({ 'x-auth-method': 'anonymous' });
      expect(gate.upstream.last().header('authorization')).toBeUndefined();
      expect(gate.upstream.last()).toMatchObject({ target: '/neurons/acme/open?x=1&y=%20' });
      expect(gate.upstream.last().header('accept')).toBe('text/plain');
    });

    test('judges nothing: no credential, no referer, no address, no limit', async () => {
      const anybody: Call = {
        headers: [
          ['Referer', 'https://evil.example'],
          ['Authorization', 'Bearer ptk_wrong'],
        ],
        from: 'garbage',
      };
      const responses = await inWaves(40, 10, () => gate.call('/neurons/acme/open', anybody));
      expect(responses.map(outcomeOf)).toEqual(new Array(40).fill('allow'));
      expect(headersOf(responses[0] ?? missing(), [...LIMITS, 'ratelimit'])).toEqual({});
    });
  });

  describe('the back-end neuron', () => {
    const batch = (call: Call, workspace = 'acme') =>
      gate.call(`/neurons/${workspace}/batch`, { method: 'PUT', ...call });

    test('takes the key of its workspace from the office', async () => {
      const response = await batch({ bearer: KEY, from: OFFICE, headers: SPOOFED });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({
        'x-auth-method': 'api_key',
        'x-auth-username': 'acme-backend',
        'x-auth-subject': KEY_ID,
        'x-auth-key-id': KEY_ID,
        'x-auth-workspace': 'acme',
      });
      expect(gate.upstream.last().header('authorization')).toBeUndefined();
      expect(headersOf(response, [...LIMITS, 'ratelimit'])).toEqual({});
    });

    test.each([
      ['203.0.113.0', 'allow'],
      ['203.0.113.255', 'allow'],
      ['198.51.100.7', 'allow'],
      ['2001:db8:acc::1', 'allow'],
      ['2001:DB8:0ACC:ffff::9', 'allow'],
      ['::ffff:203.0.113.9', 'allow'],
      ['192.0.2.1, 203.0.113.9', 'allow'],
      ['203.0.113.9, 192.0.2.1', 'ip_not_allowed'],
      ['203.0.112.255', 'ip_not_allowed'],
      ['198.51.100.8', 'ip_not_allowed'],
      ['2001:db8:acd::1', 'ip_not_allowed'],
      ['::203.0.113.9', 'ip_not_allowed'],
      ['203.0.113.9:443', 'ip_not_allowed'],
      ['fe80::1%eth0', 'ip_not_allowed'],
      ['203.0.113.09', 'ip_not_allowed'],
      ['unknown', 'ip_not_allowed'],
      [undefined, 'ip_not_allowed'],
    ])('from %s', async (from, want) => {
      expect(outcomeOf(await batch({ bearer: KEY, from }))).toBe(want);
    });

    test("refuses another organisation's path", async () => {
      const response = await batch({ bearer: KEY, from: OFFICE }, 'other');
      expect([response.status, outcomeOf(response)]).toEqual([403, 'wrong_workspace']);
      expect(response.header('www-authenticate')).toBeUndefined();
    });

    test('judges the address before the credential', async () => {
      expect(outcomeOf(await batch({ from: '192.0.2.1' }))).toBe('ip_not_allowed');
      expect(outcomeOf(await batch({ from: OFFICE }))).toBe('missing_credential');
    });

    test('reads a key as Bearer only', async () => {
      const headers: readonly HeaderLine[] = [['X-Api-Key', KEY]];
      expect(outcomeOf(await batch({ headers, from: OFFICE }))).toBe('missing_credential');
      const target = `/neurons/acme/batch?api_key=${KEY}`;
      expect(outcomeOf(await gate.call(target, { from: OFFICE }))).toBe('missing_credential');
    });

    test('refuses a token', async () => {
      const bearer = await shared('a@b.c');
      expect(outcomeOf(await batch({ bearer, from: OFFICE }))).toBe('credential_not_accepted');
    });
  });

  describe('the widget', () => {
    const widget = (from: string, call: Call = { headers: [WWW] }) =>
      gate.call('/neurons/acme/widget', { ...call, from });

    test('needs a page of the site and no credential', async () => {
      const response = await widget('192.0.2.10', { headers: [WWW, ...SPOOFED] });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({ 'x-auth-method': 'anonymous' });
      expect(response.header('x-ratelimit-policy')).toBe('5/minute');
      expect(outcomeOf(await widget('192.0.2.10', {}))).toBe('referer_not_allowed');
      expect(outcomeOf(await widget('192.0.2.10', { headers: [APP] }))).toBe('referer_not_allowed');
    });

    test('takes no credential: a wrong one is wrong, a sound one is not accepted', async () => {
      const judge = async (bearer: string) =>
        outcomeOf(await widget('192.0.2.11', { headers: [WWW], bearer }));
      expect(await judge('ptk_wrong')).toBe('unknown_key');
      expect(await judge(await shared('a@b.c', {}, { exp: -60 }))).toBe('token_expired');
      expect(await judge(KEY)).toBe('credential_not_accepted');
      expect(await judge(await shared('a@b.c'))).toBe('credential_not_accepted');
    });

    test('admits exactly 5 a minute per address', async () => {
      const responses = await inOneMinute((attempt) =>
        inWaves(12, 12, () => widget(`192.0.2.2${attempt}`)),
      );
      const admitted = responses.filter(({ status }) => status === 200);
      const remaining = admitted.map((one) => Number(one.header('x-ratelimit-remaining')));
      expect(remaining.sort()).toEqual([0, 1, 2, 3, 4]);
      const [refused = missing()] = responses.filter(({ status }) => status === 429);
      expect(headersOf(refused, LIMITS)).toEqual({
        'x-ratelimit-limit': '5',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-policy': '5/minute',
      });
      const [reset, wait] = ['x-ratelimit-reset', 'retry-after'].map((name) =>
        Number(refused.header(name)),
      );
      expect(new Set(responses.map((one) => one.header('x-ratelimit-reset')))).toEqual(
        new Set([String(reset)]),
      );
      expect(wait).toBeGreaterThanOrEqual(1);
      expect(wait).toBeLessThanOrEqual(60);
      expect(refused.header('ratelimit-policy')).toBe('"per-address-minute";q=5;w=60');
      expect(refused.header('ratelimit')).toBe(`"per-address-minute";r=0;t=${wait}`);
    });

    test.each([
      ['an IPv6 /64 is one address', ['2001:db8:1:N::1', '2001:db8:1:N:9::2'], ['4', '3']],
      ['another /64 is another', ['2001:db8:2:N::1', '2001:db8:3:N::1'], ['4', '4']],
      ['a mapped address is its IPv4 address', ['192.0.2.3N', '::ffff:192.0.2.3N'], ['4', '3']],
      ['no known address is one for all', ['unknown-N', '198.51.100.0N'], [undefined, undefined]],
    ])('%s', async (what, addresses, want) => {
      const remaining = await inOneMinute(async (attempt) => {
        const answers: (string | undefined)[] = [];
        for (const address of addresses) {
          const response = await widget(address.replace('N', attempt));
          answers.push(response.header('x-ratelimit-remaining'));
        }
        return answers;
      });
      if (want[0] !== undefined) expect(remaining).toEqual(want);
      else expect(Number(remaining[0]) - Number(remaining[1]), what).toBe(1);
    });

    test('a refusal costs nothing', async () => {
      const remaining = await inOneMinute(async (attempt) => {
        const from = `192.0.2.4${attempt}`;
        await widget(from, { headers: [APP] });
        await widget(from, { headers: [WWW], bearer: 'ptk_wrong' });
        return (await widget(from)).header('x-ratelimit-remaining');
      });
      expect(remaining).toBe('4');
    });
  });

  test.each([
    ['/neurons/acme/closed', 403, 'no_route'],
    ['/', 403, 'no_route'],
    ['/neurons/acme/open/more', 403, 'no_route'],
    ['/neurons/acme/Open', 403, 'no_route'],
    ['/neurons/acme/open;x', 400, 'ambiguous_path'],
    ['/neurons/acme/open%00', 400, 'malformed_request'],
    ['/neurons/acme%2fopen', 400, 'malformed_request'],
  ])('%s is %i %s', async (target, status, reason) => {
    const response = await gate.call(target);
    expect({ status: response.status, reason: outcomeOf(response) }).toEqual({ status, reason });
    expect(gate.upstream.requests).toEqual([]);
  });

  test('a header with an underscore does not come in', async () => {
    const headers: readonly HeaderLine[] = [['x_auth_username', 'mallory']];
    const response = await gate.call('/neurons/acme/open', { headers });
    expect(response.status).toBe(400);
    expect(gate.upstream.requests).toEqual([]);
  });

  test('the audit names user, issuer and address, and holds no credential', async () => {
    const bearer = await shared('audit@acme.example');
    const [, payload = '', signature = ''] = bearer.split('.');
    await gate.chat({ bearer, from: '192.0.2.77', headers: [APP] });
    await gate.call(`/neurons/acme/batch?api_key=${KEY}`, { bearer: KEY, from: OFFICE });
    const line = await gate.postern.waitForAudit((one) => one['username'] === 'audit@acme.example');
    expect(line).toMatchObject({
      decision: 'allow',
      route: 'front-end-neuron',
      method: 'jwt',
      issuer: 'shared-secret',
      plan: 'neuron',
      address: '192.0.2.77',
      http_method: 'POST',
      path: '/neurons/acme/chat',
    });
    await gate.postern.waitForAudit((one) => one['path'] === '/neurons/acme/batch');
    const written = JSON.stringify(gate.postern.audit()) + gate.postern.stderr();
    for (const secret of [KEY, SECRET, payload, signature]) expect(written).not.toContain(secret);
  });
});
