import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Issuer } from '../../src/core/token.ts';
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
  servesKeys,
  servesText,
  signBy,
} from './tokens.ts';

const key = await makeKey('ES256', 'k1');
const token = await signBy(key, 'ES256');

describe('a reload', () => {
  test('keeps the sets that are still named, loads new ones and closes the others', async () => {
    await using kept = await openKeyServer(servesKeys(key));
    await using left = await openKeyServer(servesKeys(key));
    await using come = await openKeyServer(servesKeys(key));
    await using verifier = openTokenVerifier({ setAgeMinMs: 20, setAgeMs: 600_000 });
    verifier.use([issuerAt([kept.origin, left.origin])]);
    await eventually(() => {
      expect(verifier.state().map(({ status }) => status)).toEqual(['fresh', 'fresh']);
    });
    verifier.use([
      issuerAt([kept.origin], { name: 'a' }),
      issuerAt([come.origin, kept.origin], { name: 'b' }),
      issuerWith({ name: 'secret' }),
    ]);
    await eventually(() => {
      expect(verifier.state()).toMatchObject([
        { location: `${kept.origin}/`, issuers: ['a', 'b'], status: 'fresh' },
        { location: `${come.origin}/`, issuers: ['b'], status: 'fresh' },
      ]);
    });
    expect([kept, left, come].map(({ asked }) => asked.length)).toEqual([1, 1, 1]);
  });

  test('lets a check that began before it end by the sets it had', async () => {
    await using server = await openKeyServer(servesKeys(key));
    await using verifier = openTokenVerifier();
    const before = [issuerAt([server.origin])];
    verifier.use(before);
    await eventually(() => expect(verifier.state()).toMatchObject([{ status: 'fresh' }]));
    verifier.use([]);
    expect(verifier.state()).toEqual([]);
    expect(outcome(await verifier.verify(token, before, NOW_MS))).toBe('token');
    expect(verifier.verify(token, before, NOW_MS)).toBeInstanceOf(Promise);
    expect(server.asked.length).toBe(1);
  });

  test('stops the loading of a set that is named no more', async () => {
    await using server = await openKeyServer(servesKeys(key));
    await using beacon = await openKeyServer(servesKeys(key));
    await using verifier = openTokenVerifier({ setAgeMs: 20, setAgeMinMs: 20 });
    verifier.use([issuerAt([server.origin])]);
    await eventually(() => expect(server.asked.length).toBeGreaterThan(1));
    verifier.use([issuerAt([beacon.origin])]);
    await eventually(() => expect(beacon.asked.length).toBeGreaterThan(1));
    const { length } = server.asked;
    await eventually(() => expect(beacon.asked.length).toBeGreaterThan(6));
    expect(server.asked.length).toBe(length);
  });

  test('forgets the tokens of entries with other words for the same set', async () => {
    await using server = await openKeyServer(servesKeys(key));
    await using verifier = openTokenVerifier();
    const before = [issuerAt([server.origin])];
    const after = [issuerAt([server.origin], { audiences: ['api'] })];
    verifier.use(before);
    expect(outcome(await verifier.verify(token, before, NOW_MS))).toBe('token');
    verifier.use(after);
    expect(outcome(await verifier.verify(token, after, NOW_MS))).toBe('token_audience');
    expect(server.asked.length).toBe(1);
  });
});

function discovering(issuer: string): Issuer {
  return issuerAt([], { issuer, keys: { kind: 'discovery', issuer } });
}

describe('discovery', () => {
  test.each(['', '/', '/realms/one', '/realms/one/'])('finds the set of ORIGIN%s', async (path) => {
    await using server = await openKeyServer((request, response) => {
      const issuer = `${server.origin}${path}`;
      const metadata = { issuer, jwks_uri: `${server.origin}/keys` };
      if (request.url === '/keys') servesKeys(key)(request, response);
      else servesText(JSON.stringify(metadata))(request, response);
    });
    await using verifier = openTokenVerifier();
    const iss = `${server.origin}${path}`;
    const signed = await signBy(key, 'ES256', { ...GOOD, iss });
    expect(outcome(await verifier.verify(signed, [discovering(iss)], NOW_MS))).toBe('token');
    const stem = path.endsWith('/') ? path.slice(0, -1) : path;
    expect(server.asked).toEqual([`${stem}/.well-known/openid-configuration`, '/keys']);
  });

  test.each<[string, (origin: string) => unknown]>([
    ['another issuer', (origin) => ({ issuer: `${origin}/`, jwks_uri: `${origin}/keys` })],
    ['no issuer', (origin) => ({ jwks_uri: `${origin}/keys` })],
    ['no jwks_uri', (origin) => ({ issuer: origin })],
    ['a jwks_uri that is no text', (origin) => ({ issuer: origin, jwks_uri: [`${origin}/keys`] })],
    ['a jwks_uri in the clear', (origin) => ({ issuer: origin, jwks_uri: 'http://192.0.2.1/k' })],
    ['a file', (origin) => ({ issuer: origin, jwks_uri: 'file:///etc/passwd' })],
    ['a list', (origin) => [{ issuer: origin, jwks_uri: `${origin}/keys` }]],
    ['too much', (origin) => ({ issuer: origin, jwks_uri: `${origin}/keys`, x: 'x'.repeat(3e5) })],
  ])('takes no metadata with %s', async (_what, metadata) => {
    await using server = await openKeyServer((request, response) => {
      servesText(JSON.stringify(metadata(server.origin)))(request, response);
    });
    await using verifier = openTokenVerifier();
    const signed = await signBy(key, 'ES256', { ...GOOD, iss: server.origin });
    const answer = verifier.verify(signed, [discovering(server.origin)], NOW_MS);
    await expect(answer).rejects.toThrow('no key set from');
    expect(server.asked).toEqual(['/.well-known/openid-configuration']);
  });

  test('of an https issuer is not sent to this host', async () => {
    const asked: string[] = [];
    const issuer = 'https://id.example.com';
    await using verifier = openTokenVerifier({
      fetch: (input) => {
        asked.push(String(input));
        return Promise.resolve(Response.json({ issuer, jwks_uri: 'http://127.0.0.1:1/keys' }));
      },
    });
    const signed = await signBy(key, 'ES256', { ...GOOD, iss: issuer });
    await expect(verifier.verify(signed, [discovering(issuer)], NOW_MS)).rejects.toThrow();
    expect(asked).toEqual([`${issuer}/.well-known/openid-configuration`]);
  });
});

describe('a set in a file', () => {
  async function openFolder() {
    const path = await mkdtemp(join(tmpdir(), 'postern-jwks-'));
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
  }

  test('is read, and read again every 30 seconds', async () => {
    await using folder = await openFolder();
    const path = join(folder.path, 'keys set.json');
    await writeFile(path, JSON.stringify({ keys: [key.jwk] }));
    let nowMs = NOW_MS;
    await using verifier = openTokenVerifier({ now: () => nowMs });
    const issuers = [issuerAt([pathToFileURL(path).href])];
    const fresh = async () => outcome(await verifier.verify(await other(), issuers, NOW_MS));
    const other = () => signBy(key, 'ES256', { ...GOOD, jti: nowMs });
    expect(await fresh()).toBe('token');
    await writeFile(path, '{"keys":[]}');
    nowMs += 29_999;
    expect(await fresh()).toBe('token');
    nowMs += 1;
    await fresh();
    await eventually(() => expect(verifier.state()).toMatchObject([{ keys: 0 }]));
    expect(await fresh()).toBe('token_invalid');
  });

  test('is refused when it is missing, no file or too large', async () => {
    await using folder = await openFolder();
    const large = join(folder.path, 'large.json');
    await mkdir(join(folder.path, 'folder'));
    await writeFile(large, JSON.stringify({ keys: [key.jwk] }) + ' '.repeat(262_144));
    for (const path of [large, join(folder.path, 'folder'), join(folder.path, 'missing.json')]) {
      await using verifier = openTokenVerifier();
      const issuers = [issuerAt([pathToFileURL(path).href])];
      await expect(verifier.verify(token, issuers, NOW_MS)).rejects.toThrow('no key set from');
    }
  });
});

test('what is shown of a location holds no query and no password', async () => {
  await using verifier = openTokenVerifier({ fetch: () => Promise.reject(new Error('down')) });
  verifier.use([issuerAt(['https://user:pass@id.example.com/jwks?key=secret'])]);
  expect(verifier.state()).toMatchObject([{ location: 'https://id.example.com/jwks' }]);
});
