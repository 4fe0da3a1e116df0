import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import type { TokenEvent } from '../../src/jwt/settings.ts';
import { openTokenVerifier } from '../../src/jwt/verifier.ts';
import {
  eventually,
  GOOD,
  issuerAt,
  issuerWith,
  makeKey,
  NOW_MS,
  openKeyServer,
  outcome,
  SECRET,
  servesKeys,
  servesStatus,
  servesText,
  sign,
  signBy,
} from './tokens.ts';

const key = await makeKey('ES256', 'k1');
const token = await signBy(key, 'ES256');
const SET = JSON.stringify({ keys: [key.jwk] });

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a set that cannot be had', () => {
  test('at start makes verify reject, is asked for by back-off only, and serves once it is up', async () => {
    const port = await freePort();
    const issuers = [issuerAt([`http://127.0.0.1:${port}/jwks`])];
    const events: TokenEvent[] = [];
    let nowMs = NOW_MS;
    await using verifier = openTokenVerifier({
      now: () => nowMs,
      onEvent: (event) => {
        events.push(event);
      },
    });
    verifier.use(issuers);
    expect(verifier.state()).toMatchObject([{ status: 'loading', issuers: ['one'], keys: 0 }]);
    for (let round = 0; round < 20; round += 1) {
      await expect(verifier.verify(token, issuers, NOW_MS)).rejects.toMatchObject({
        message: `no key set from http://127.0.0.1:${port}/jwks`,
        cause: expect.any(Error),
      });
    }
    expect(events.filter(({ kind }) => kind === 'jwks_fetch')).toMatchObject([
      { ok: false, issuer: 'one', detail: expect.stringContaining('ECONNREFUSED') },
    ]);
    expect(verifier.state()).toMatchObject([{ status: 'failed', lastFailureMs: NOW_MS }]);

    await using server = await openKeyServer(servesKeys(key), port);
    nowMs += 700;
    await expect(verifier.verify(token, issuers, NOW_MS)).rejects.toThrow();
    expect(server.asked.length).toBe(0);
    nowMs += 300;
    expect(outcome(await verifier.verify(token, issuers, NOW_MS))).toBe('token');
    expect(server.asked).toEqual(['/jwks']);
    expect(verifier.state()).toMatchObject([{ status: 'fresh', keys: 1, lastSuccessMs: nowMs }]);
  });

  test('is waited for ever longer, up to a minute', async () => {
    await using server = await openKeyServer(servesStatus(503));
    let nowMs = NOW_MS;
    await using verifier = openTokenVerifier({ now: () => nowMs });
    const issuers = [issuerAt([server.origin])];
    const fetches = async (waitMs: number) => {
      const before = server.asked.length;
      nowMs += waitMs;
      await expect(verifier.verify(token, issuers, NOW_MS)).rejects.toThrow();
      return server.asked.length - before;
    };
    expect(await fetches(0)).toBe(1);
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
      expect(await fetches(seconds * 800 - 1)).toBe(0);
      expect(await fetches(seconds * 200 + 1)).toBe(1);
    }
  });

  test('comes back without any request', async () => {
    await using server = await openKeyServer(servesStatus(503));
    await using verifier = openTokenVerifier({ backoffMinMs: 20 });
    verifier.use([issuerAt([server.origin])]);
    await eventually(() => expect(server.asked.length).toBeGreaterThan(2));
    server.answer = servesKeys(key);
    await eventually(() => expect(verifier.state()).toMatchObject([{ status: 'fresh' }]));
  });

  test.each<[string, ReturnType<typeof servesText>]>([
    ['404', servesStatus(404)],
    ['201', servesStatus(201)],
    ['an empty body', servesText('')],
    ['garbage', servesText('<html>{"keys":[]}</html>')],
    ['a list', servesText(`[${SET}]`)],
    ['no keys', servesText('{"key":[]}')],
    ['keys that are no list', servesText('{"keys":{}}')],
    ['257 KiB', servesText(SET + ' '.repeat(257 * 1024))],
    [
      'endless chunks',
      (_request, response) => {
        const more = () => response.write(' '.repeat(65_536), more);
        response.writeHead(200);
        more();
      },
    ],
    ['a cut connection', (request) => request.socket.destroy()],
    [
      'a body cut short',
      (request, response) => {
        response.writeHead(200, { 'content-length': '9999' }).write(SET);
        setImmediate(() => request.socket.destroy());
      },
    ],
  ])('because the answer is %s', async (_what, answer) => {
    await using server = await openKeyServer(answer);
    await using verifier = openTokenVerifier();
    await expect(verifier.verify(token, [issuerAt([server.origin])], NOW_MS)).rejects.toThrow();
    expect(verifier.state()).toMatchObject([{ status: 'failed', keys: 0 }]);
    expect(server.asked.length).toBe(1);
  });

  test.each([301, 302, 303, 307, 308])('because it redirects by %i', async (status) => {
    await using target = await openKeyServer(servesKeys(key));
    await using server = await openKeyServer(servesStatus(status, { location: target.origin }));
    await using verifier = openTokenVerifier();
    await expect(verifier.verify(token, [issuerAt([server.origin])], NOW_MS)).rejects.toThrow();
    expect(target.asked).toEqual([]);
  });

  test('because it is late, in its head or in its body', async () => {
    for (const begins of [false, true]) {
      await using server = await openKeyServer((_request, response) => {
        if (begins) response.writeHead(200).write(SET.slice(0, 9));
      });
      await using verifier = openTokenVerifier({ fetchTimeoutMs: 50 });
      const issuers = [issuerAt([server.origin])];
      await expect(verifier.verify(token, issuers, NOW_MS)).rejects.toMatchObject({
        cause: { message: 'no answer within 50 ms' },
      });
    }
  });

  test.each([
    'http://192.0.2.1/jwks',
    'http://127.0.0.1.example.com/jwks',
    'http://0.0.0.0/jwks',
    'ftp://127.0.0.1/jwks',
    'data:application/json,{"keys":[]}',
    '/jwks',
  ])('because %s is neither https nor http on loopback: it is not asked', async (location) => {
    const asked: unknown[] = [];
    await using verifier = openTokenVerifier({
      fetch: (input) => {
        asked.push(input);
        return Promise.resolve(new Response(SET));
      },
    });
    await expect(verifier.verify(token, [issuerAt([location])], NOW_MS)).rejects.toThrow();
    expect(asked).toEqual([]);
  });

  test('does not keep others from verifying a token, neither while it hangs nor when it is gone', async () => {
    await using hanging = await openKeyServer(() => {});
    await using broken = await openKeyServer(servesStatus(500));
    await using good = await openKeyServer(servesKeys(key));
    await using verifier = openTokenVerifier();
    const inOne = [issuerAt([hanging.origin, broken.origin, good.origin])];
    const inThree = [hanging, broken, good].map(({ origin }) => issuerAt([origin]));
    const shared = issuerWith({ name: 'shared' });
    expect(outcome(await verifier.verify(token, inOne, NOW_MS))).toBe('token');
    expect(outcome(await verifier.verify(token, inThree, NOW_MS))).toBe('token');
    const hmac = await sign(GOOD, SECRET);
    expect(outcome(await verifier.verify(hmac, [...inThree, shared], NOW_MS))).toBe('token');
  });
});

test('a token is not remembered for an entry while an earlier one lacks its set', async () => {
  await using first = await openKeyServer(servesStatus(500));
  await using second = await openKeyServer(servesKeys(key));
  let nowMs = NOW_MS;
  await using verifier = openTokenVerifier({ now: () => nowMs });
  const issuers = [first, second].map(({ origin }, at) => issuerAt([origin], { name: `${at}` }));
  verifier.use(issuers);
  const nameOf = async () => {
    const answer = await verifier.verify(token, issuers, NOW_MS);
    return answer.kind === 'token' && answer.issuer.name;
  };
  await eventually(() => expect(verifier.state()).toMatchObject([{ status: 'failed' }, {}]));
  expect(await nameOf()).toBe('1');
  first.answer = servesKeys(key);
  nowMs += 1_000;
  await nameOf();
  await eventually(() => expect(verifier.state()).toMatchObject([{ status: 'fresh' }, {}]));
  expect(await nameOf()).toBe('0');
});

test('a request waits for the first load in flight, and all share it', async () => {
  const gate = Promise.withResolvers<void>();
  await using server = await openKeyServer((request, response) => {
    void gate.promise.then(() => servesKeys(key)(request, response));
  });
  await using verifier = openTokenVerifier();
  const issuers = [issuerAt([server.origin])];
  verifier.use(issuers);
  const answers = Array.from({ length: 50 }, () => verifier.verify(token, issuers, NOW_MS));
  await eventually(() => expect(server.asked.length).toBe(1));
  gate.resolve();
  for (const answer of answers) expect(outcome(await answer)).toBe('token');
  expect(server.asked.length).toBe(1);
});

test('disposal ends a load that hangs', async () => {
  await using server = await openKeyServer(() => {});
  const verifier = openTokenVerifier({ fetchTimeoutMs: 600_000 });
  const answer = verifier.verify(token, [issuerAt([server.origin])], NOW_MS);
  const rejection = expect(answer).rejects.toThrow('no key set from');
  await eventually(() => expect(server.asked.length).toBe(1));
  await verifier[Symbol.asyncDispose]();
  await rejection;
});

describe('of a set, only public signature keys of sound strength are used', () => {
  const weak: JWK = { kty: 'RSA', n: Buffer.alloc(255, 0xff).toString('base64url'), e: 'AQAB' };
  test.each<[string, () => Promise<JWK> | JWK, string | undefined]>([
    ['a private key', () => exportJWK(key.pair.privateKey), 'private'],
    ['a shared secret', () => ({ kty: 'oct', k: 'c2VjcmV0' }), 'shared secret'],
    ['a public key with a k', () => ({ ...key.jwk, k: 'AA' }), 'private'],
    ['RSA of 2,040 bits', () => weak, 'fewer than 2048 bits'],
    ['a point off the curve', () => ({ ...key.jwk, y: key.jwk.x ?? '' }), 'cannot be imported'],
    ['a key without its members', () => ({ kty: 'EC', crv: 'P-256' }), 'cannot be imported'],
    ['a key for encryption', () => ({ ...key.jwk, use: 'enc' }), undefined],
    ['a key that may only sign', () => ({ ...key.jwk, key_ops: ['sign'] }), undefined],
    ['a key for another algorithm', () => ({ ...key.jwk, alg: 'ECDH-ES' }), undefined],
    ['a key of another curve', () => ({ ...key.jwk, crv: 'P-384' }), 'cannot be imported'],
    ['a key of an unknown type', () => ({ ...key.jwk, kty: 'ec' }), undefined],
    ['a text', () => 'key' as unknown as JWK, 'no JWK'],
  ])('not %s', async (_what, make, detail) => {
    const other = await makeKey('ES256', 'other');
    const bad = await make();
    const jwks = { keys: [typeof bad === 'object' ? { ...bad, kid: 'k1' } : bad, other.jwk] };
    await using server = await openKeyServer(servesText(JSON.stringify(jwks)));
    const skipped: TokenEvent[] = [];
    await using verifier = openTokenVerifier({
      onEvent: (event) => {
        if (event.kind === 'jwks_key_skipped') skipped.push(event);
      },
    });
    const issuers = [issuerAt([server.origin], { algorithms: new Set(['ES256', 'RS256']) })];
    const beside = await signBy(other, 'ES256');
    expect(outcome(await verifier.verify(beside, issuers, NOW_MS))).toBe('token');
    expect(outcome(await verifier.verify(token, issuers, NOW_MS))).toBe('token_invalid');
    expect(verifier.state()).toMatchObject([{ keys: 1 }]);
    expect(skipped.map((one) => 'detail' in one && one.detail)).toEqual(
      detail === undefined ? [] : [expect.stringContaining(detail)],
    );
  });

  test('a key that names its alg verifies that alg only', async () => {
    const rsa = await makeKey('PS256', 'rsa');
    await using server = await openKeyServer(servesKeys({ ...rsa.jwk, alg: 'RS256' }));
    await using plain = await openKeyServer(servesKeys(rsa));
    await using verifier = openTokenVerifier();
    const algorithms = new Set(['RS256', 'PS256']);
    const pss = await signBy(rsa, 'PS256');
    const judge = async (origin: string) =>
      outcome(await verifier.verify(pss, [issuerAt([origin], { algorithms })], NOW_MS));
    expect(await judge(server.origin)).toBe('token_invalid');
    expect(await judge(plain.origin)).toBe('token');
  });
});
