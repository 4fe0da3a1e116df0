import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine } from '../envoy-harness/send.ts';
import { makeKey } from '../jwt/tokens.ts';
import { headersOf, identityOf, inOneMinute, inWaves, missing, outcomeOf } from './gate.ts';
import { nowSeconds, signToken, signWith } from './jwks.ts';
import {
  APP,
  first,
  KEY,
  LIMITS,
  type Prompteus,
  SPOOFED,
  second,
  shared,
  startPrompteus,
} from './prompteus.ts';

const sha512 = await makeKey('RS512', 'first');
const stranger = await makeKey('RS256', 'first');

let gate: Prompteus;

describeEnvoy('prompteus: neurons with a token', () => {
  beforeAll(async () => {
    gate = await startPrompteus();
  });
  beforeEach(() => gate.upstream.clear());
  afterAll(() => gate?.stop());

  describe('the front-end neuron', () => {
    test('takes a shared-secret token and hands on the nested username and a claim', async () => {
      const response = await gate.chat({
        bearer: await shared('ada@acme.example'),
        headers: SPOOFED,
      });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({
        'x-auth-method': 'jwt',
        'x-auth-username': 'ada@acme.example',
        'x-auth-subject': 'u-1',
        'x-auth-plan': 'neuron',
        'x-auth-issuer': 'shared-secret',
        'x-auth-department': 'research',
      });
      expect(gate.upstream.last().header('authorization')).toBeUndefined();
      expect(headersOf(response, LIMITS)).toEqual({
        'x-ratelimit-limit': '60',
        'x-ratelimit-remaining': '59',
        'x-ratelimit-policy': '60/minute',
      });
      expect(response.header('ratelimit-policy')).toBe('"minute";q=60;w=60, "burst";q=20;w=20');
      expect(response.header('ratelimit')).toMatch(/^"minute";r=59;t=\d+, "burst";r=19;t=1$/);
      const resetSeconds = Number(response.header('x-ratelimit-reset'));
      expect(resetSeconds % 60).toBe(0);
      expect(Math.abs(resetSeconds - nowSeconds() - 30)).toBeLessThan(35);
    });

    test('without the claim there is no header, not even the one that was sent', async () => {
      const bearer = await shared('bob@acme.example', { department: undefined });
      expect(outcomeOf(await gate.chat({ bearer, headers: SPOOFED }))).toBe('allow');
      expect(identityOf(gate.upstream)).not.toHaveProperty('x-auth-department');
    });

    test.each<[string, readonly HeaderLine[], string]>([
      ['the site', [APP], 'allow'],
      ['the site on http', [['Referer', 'http://app.example.com/']], 'allow'],
      ['a preview', [['Referer', 'https://pr-1.preview.example.com/x']], 'allow'],
      ['no page: a back end', [], 'allow'],
      ['its Origin alone', [['Origin', 'https://app.example.com']], 'allow'],
      ['both, agreeing', [APP, ['Origin', 'https://app.example.com']], 'allow'],
      ['both, at odds', [APP, ['Origin', 'https://evil.example']], 'referer_not_allowed'],
      [
        'another site',
        [['Referer', 'https://evil.example/app.example.com']],
        'referer_not_allowed',
      ],
      ['a parent', [['Referer', 'https://preview.example.com/']], 'referer_not_allowed'],
      ['a look-alike', [['Referer', 'https://xapp.example.com/']], 'referer_not_allowed'],
      ['another port', [['Referer', 'https://app.example.com:8443/']], 'referer_not_allowed'],
      // Envoy takes away a Referer with userinfo or a fragment, so that it reads as none.
      ['userinfo', [['Referer', 'https://app.example.com@evil.example/']], 'allow'],
      ['null', [['Origin', 'null']], 'referer_not_allowed'],
      ['garbage', [['Referer', 'app.example.com']], 'referer_not_allowed'],
      ['two of them', [APP, APP], 'malformed_request'],
    ])('is called from %s', async (_page, headers, want) => {
      const user = `pages-${Math.random()}@acme.example`;
      const response = await gate.chat({ bearer: await shared(user), headers });
      expect(outcomeOf(response)).toBe(want);
      expect(gate.upstream.requests.length).toBe(want === 'allow' ? 1 : 0);
    });

    test('says what is missing, and nothing more', async () => {
      const response = await gate.chat({});
      expect(response.status).toBe(401);
      expect(response.header('www-authenticate')).toBe('Bearer realm="prompteus"');
      expect(response.header('content-type')).toBe('application/json');
      expect(response.header('cache-control')).toBe('no-store');
      expect(response.json()).toEqual({
        error: 'UNAUTHORIZED',
        reason: 'missing_credential',
        message: expect.any(String),
        request_id: expect.stringMatching(/^[\w.-]{8,}$/),
      });
    });

    test('answers a problem document to whoever asks for one', async () => {
      const response = await gate.chat({ headers: [['Accept', 'application/problem+json']] });
      expect(response.header('content-type')).toBe('application/problem+json');
      expect(response.json()).toMatchObject({ status: 401, reason: 'missing_credential' });
    });

    test.each<[string, () => Promise<string> | string, number, string]>([
      [
        'another secret',
        () => shared('a@b.c', {}, { secret: 'x'.repeat(38) }),
        401,
        'token_invalid',
      ],
      ['its time over', () => shared('a@b.c', {}, { exp: -60 }), 401, 'token_expired'],
      ['no end', () => shared('a@b.c', {}, { exp: undefined }), 401, 'token_invalid'],
      ['a beginning ahead', () => shared('a@b.c', {}, { nbf: 60 }), 401, 'token_not_yet_valid'],
      ['no username', () => shared(undefined), 401, 'token_invalid'],
      ['HS512', () => shared('a@b.c', {}, { alg: 'HS512' }), 401, 'token_invalid'],
      [
        'a sound token of the sets',
        () => signWith(first, 'RS256', { sub: 'a' }),
        401,
        'token_issuer',
      ],
      ['a sound key', () => KEY, 401, 'credential_not_accepted'],
      ['a key with a wrong checksum', () => `${KEY.slice(0, -1)}4`, 401, 'unknown_key'],
      ['an unknown key', () => 'ptk_000000000000000000000000000000003VuBKM', 401, 'unknown_key'],
      ['neither key nor token', () => 'hello', 401, 'token_invalid'],
      ['nothing behind Bearer', () => '', 400, 'malformed_credential'],
      ['a space in it', () => `${KEY} x`, 400, 'malformed_credential'],
      ['more than 8 KiB', () => 'x'.repeat(8193), 400, 'malformed_credential'],
      ['two in one line', () => `${KEY}, Bearer ${KEY}`, 400, 'duplicate_credential'],
    ])('refuses a credential with %s', async (_what, bearer, status, reason) => {
      const response = await gate.chat({ bearer: await bearer() });
      expect({ status: response.status, reason: outcomeOf(response) }).toEqual({ status, reason });
      expect(gate.upstream.requests).toEqual([]);
      const challenge = response.header('www-authenticate');
      if (status === 401) {
        expect(challenge).toMatch(
          /^Bearer realm="prompteus", error="invalid_token", error_description="[^"]+"$/,
        );
      } else expect(challenge).toBeUndefined();
    });

    test('refuses two Authorization lines, the same or not', async () => {
      const token = await shared('a@b.c');
      for (const other of [token, KEY]) {
        const headers: readonly HeaderLine[] = [['Authorization', `Bearer ${other}`]];
        expect(outcomeOf(await gate.chat({ bearer: token, headers }))).toBe('duplicate_credential');
      }
    });

    test('is for POST alone', async () => {
      const response = await gate.call('/neurons/acme/chat', { bearer: await shared('a@b.c') });
      expect([response.status, outcomeOf(response)]).toEqual([403, 'no_route']);
    });

    test('lets a user burst to 20, and then says when one more fits', async () => {
      const bearer = await shared('burst@acme.example');
      const startedMs = performance.now();
      const responses = await inWaves(30, 10, () => gate.chat({ bearer }));
      const refilled = Math.floor((performance.now() - startedMs) / 1000);
      const refused = responses.filter(({ status }) => status === 429);
      const admitted = responses.filter(({ status }) => status === 200).length;
      expect(admitted + refused.length).toBe(30);
      expect(admitted).toBeGreaterThanOrEqual(20);
      expect(admitted).toBeLessThanOrEqual(20 + refilled);
      expect(gate.upstream.requests.length).toBe(admitted);
      const [one = missing()] = refused;
      expect(one.json()).toMatchObject({ error: 'RATE_LIMITED', reason: 'rate_limited' });
      expect(headersOf(one, [...LIMITS, 'retry-after'])).toEqual({
        'x-ratelimit-limit': '60',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-policy': '60/minute',
        'retry-after': '1',
      });
    });

    test('counts a username within its issuer', async () => {
      const name = 'same@acme.example';
      const remaining = await inOneMinute(async (attempt) => {
        const user = `${attempt}-${name}`;
        const bearer = await shared(user);
        const assist = await signWith(first, 'RS256', { sub: user });
        const answers = [await gate.chat({ bearer }), await gate.chat({ bearer })];
        answers.push(await gate.call('/neurons/acme/assist', { bearer: assist }));
        answers.push(await gate.chat({ bearer: await shared(`other-${user}`) }));
        return answers.map((answer) => answer.header('x-ratelimit-remaining'));
      });
      expect(remaining).toEqual(['59', '58', '59', '59']);
    });
  });

  describe('the JWKS neuron', () => {
    const assist = (bearer: string) => gate.call('/neurons/acme/assist', { bearer });
    const loose = (by: typeof first, alg: string) =>
      signToken({ claims: { sub: 'loose' }, alg, key: by.pair.privateKey });

    test('takes a token of either set, and hands on its e-mail address', async () => {
      const claims = { sub: 'ada', email: 'ada@example.com' };
      expect(outcomeOf(await assist(await signWith(first, 'RS256', claims)))).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({
        'x-auth-method': 'jwt',
        'x-auth-username': 'ada',
        'x-auth-subject': 'ada',
        'x-auth-plan': 'neuron',
        'x-auth-issuer': 'jwks',
        'x-auth-email': 'ada@example.com',
      });
      expect(outcomeOf(await assist(await signWith(second, 'ES256', { sub: 'eve' })))).toBe(
        'allow',
      );
      expect(identityOf(gate.upstream)).toMatchObject({ 'x-auth-username': 'eve' });
      expect(identityOf(gate.upstream)).not.toHaveProperty('x-auth-email');
      expect(gate.upstream.last().header('authorization')).toBeUndefined();
    });

    test.each<[string, () => Promise<string>, string]>([
      ['without a kid, by the first set', () => loose(first, 'RS256'), 'allow'],
      ['without a kid, by the second set', () => loose(second, 'ES256'), 'allow'],
      [
        'by a stranger under a known kid',
        () => signWith(stranger, 'RS256', { sub: 'x' }),
        'token_invalid',
      ],
      ['by a stranger without a kid', () => loose(stranger, 'RS256'), 'token_invalid'],
      [
        'by an algorithm that is not listed',
        () => signWith(sha512, 'RS512', { sub: 'x' }),
        'token_invalid',
      ],
      ['by the shared secret', () => shared('a@b.c'), 'token_issuer'],
      ['without a username', () => signWith(first, 'RS256', { email: 'a@b.c' }), 'token_invalid'],
    ])('judges a token %s', async (_what, token, want) => {
      expect(outcomeOf(await assist(await token()))).toBe(want);
    });

    test('refuses a key', async () => {
      expect(outcomeOf(await assist(KEY))).toBe('credential_not_accepted');
    });
  });
});
