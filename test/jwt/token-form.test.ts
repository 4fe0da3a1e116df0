import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openTokenVerifier } from '../../src/jwt/verifier.ts';
import {
  GOOD,
  issuerAt,
  issuerWith,
  makeKey,
  NOW_MS,
  openKeyServer,
  outcome,
  SECRET,
  servesKeys,
  sign,
  signBy,
} from './tokens.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const HEADER = '{"alg":"HS256"}';
const PAYLOAD = JSON.stringify(GOOD);

/** Signs texts as they are, so that only the form of a token can be wrong. */
function signTexts(header: string | Buffer, payload: string | Buffer): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

function encode(text: string | Buffer): string {
  return Buffer.from(text).toString('base64url');
}

/** Signs segments as they are, so that a lax decoder would take them. */
function signSegments(head: string, body: string): string {
  const mac = createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url');
  return `${head}.${body}.${mac}`;
}

/** The same bytes to a lax decoder: the last character differs in bits that no byte uses. */
function withUnusedBits(segment: string): string {
  const last = ALPHABET.indexOf(segment.at(-1) ?? '');
  expect(segment.length % 4).not.toBe(0);
  return segment.slice(0, -1) + ALPHABET[last + 1];
}

async function verdictOf(token: string): Promise<string> {
  await using verifier = openTokenVerifier();
  return outcome(await verifier.verify(token, [issuerWith()], NOW_MS));
}

const PADDABLE = encode('{"alg":"HS256" }');

describe('a token whose signature is right but whose form is not is refused', () => {
  const good = signTexts(HEADER, PAYLOAD);
  const [head = '', body = '', mac = ''] = good.split('.');
  test.each<[string, string]>([
    ['empty', ''],
    ['dots only', '..'],
    ['two segments', `${head}.${body}`],
    ['four segments', `${good}.`],
    ['five segments, as a JWE has', `${good}.${mac}.${mac}`],
    ['no signature', `${head}.${body}.`],
    ['no payload', signSegments(head, '')],
    ['a leading space', ` ${good}`],
    ['a trailing newline', `${good}\n`],
    ['a space within the header', signSegments(`${head.slice(0, 4)} ${head.slice(4)}`, body)],
    ['a space within the payload', signSegments(head, `${body.slice(0, 4)} ${body.slice(4)}`)],
    ['padding of the header', signSegments(`${PADDABLE}==`, body)],
    ['padding of the signature', `${good}=`],
    ['unused bits of the header', signSegments(withUnusedBits(PADDABLE), body)],
    ['unused bits of the signature', `${head}.${body}.${withUnusedBits(mac)}`],
    ['the alphabet of plain base64', signSegments(head, `${body}+/`)],
    ['characters outside ASCII', `${good.slice(0, -1)}\u{ff21}`],
    ['a header that is no JSON', signTexts('alg=HS256', PAYLOAD)],
    ['a header that is an array', signTexts('[{"alg":"HS256"}]', PAYLOAD)],
    ['a header that is null', signTexts('null', PAYLOAD)],
    ['a header after a byte order mark', signTexts(`\ufeff${HEADER}`, PAYLOAD)],
    [
      'a header that is bad UTF-8',
      signTexts(Buffer.from('{"alg":"HS256","x":"\xff"}', 'latin1'), PAYLOAD),
    ],
    ['a header over 2 KiB', signTexts(`{"alg":"HS256","x":"${'x'.repeat(2048)}"}`, PAYLOAD)],
    ['a header member twice', signTexts('{"alg":"none","alg":"HS256"}', PAYLOAD)],
    [
      'a header member twice, once escaped',
      signTexts('{"\\u0061lg":"none","alg":"HS256"}', PAYLOAD),
    ],
    [
      'a nested header member twice',
      signTexts('{"alg":"HS256","x":[{"a":1,"b":{},"a":2}]}', PAYLOAD),
    ],
    ['a payload member twice', signTexts(HEADER, `{"sub":"eve",${PAYLOAD.slice(1)}`)],
    [
      'a nested payload member twice',
      signTexts(HEADER, `{"user":{"id":1,"id" : 2},${PAYLOAD.slice(1)}`),
    ],
    ['a payload that is an array', signTexts(HEADER, `[${PAYLOAD}]`)],
    ['a payload that is a string', signTexts(HEADER, '"sub"')],
    [
      'a payload that is bad UTF-8',
      signTexts(HEADER, Buffer.from(`{"x":"\xe9",${PAYLOAD.slice(1)}`, 'latin1')),
    ],
    [
      'a payload member twice after an escaped quote',
      signTexts(HEADER, `{"x":"\\"","sub":"eve",${PAYLOAD.slice(1)}`),
    ],
    ['no alg', signTexts('{"typ":"JWT"}', PAYLOAD)],
    ['an alg that is no string', signTexts('{"alg":["HS256"]}', PAYLOAD)],
    ['alg none', signTexts('{"alg":"none"}', PAYLOAD)],
    ['alg nOnE', signTexts('{"alg":"nOnE"}', PAYLOAD)],
    ['alg hs256', signTexts('{"alg":"hs256"}', PAYLOAD)],
    ['a kid that is no string', signTexts('{"alg":"HS256","kid":1}', PAYLOAD)],
    ['crit', signTexts('{"alg":"HS256","crit":["exp"],"exp":1}', PAYLOAD)],
    ['crit that is empty', signTexts('{"alg":"HS256","crit":[]}', PAYLOAD)],
    ['b64 false', signTexts('{"alg":"HS256","b64":false}', PAYLOAD)],
    ['b64 true', signTexts('{"alg":"HS256","b64":true}', PAYLOAD)],
    ['zip', signTexts('{"alg":"HS256","zip":"DEF"}', PAYLOAD)],
    ['enc', signTexts('{"alg":"HS256","enc":"A256GCM"}', PAYLOAD)],
    ['an iss that is no string', signTexts(HEADER, `{"iss":["one"],${PAYLOAD.slice(1)}`)],
    ['9 KiB', signTexts(HEADER, `{"x":"${'x'.repeat(9216)}",${PAYLOAD.slice(1)}`)],
  ])('%s', async (_what, token) => {
    expect(await verdictOf(token)).toBe('token_invalid');
  });

  test.each<[string, string]>([
    ['as it should be', good],
    ['with a header whose unused bits are zero', signSegments(PADDABLE, body)],
    [
      'with equal names in different objects',
      signTexts(HEADER, `{"a":{"sub":1},${PAYLOAD.slice(1)}`),
    ],
    [
      'with a value that looks like a name',
      signTexts(HEADER, `{"a":"sub","b":"\\"sub\\":",${PAYLOAD.slice(1)}`),
    ],
    [
      'with brackets 1,000 deep',
      signTexts(HEADER, `{"x":${'['.repeat(1000)}${']'.repeat(1000)},${PAYLOAD.slice(1)}`),
    ],
    [
      'with __proto__ as plain text',
      signTexts(HEADER, `{"__proto__":{"exp":1},${PAYLOAD.slice(1)}`),
    ],
    ['just within 8 KiB', signTexts(HEADER, `{"x":"${'x'.repeat(6000)}",${PAYLOAD.slice(1)}`)],
  ])('but taken %s', async (_what, token) => {
    expect(await verdictOf(token)).toBe('token');
  });
});

test('a public key used as a shared secret verifies nothing', async () => {
  const key = await makeKey('RS256', 'k1');
  await using server = await openKeyServer(servesKeys(key));
  await using verifier = openTokenVerifier();
  const confused = issuerAt([server.origin], { algorithms: new Set(['RS256', 'HS256']) });
  const { publicKey } = key.pair;
  const spki = Buffer.from(await crypto.subtle.exportKey('spki', publicKey));
  const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`;
  for (const secret of [spki, Buffer.from(pem), Buffer.from(JSON.stringify(key.jwk))]) {
    const token = await sign(GOOD, secret, { kid: 'k1' });
    expect(outcome(await verifier.verify(token, [confused], NOW_MS))).toBe('token_invalid');
  }
  const genuine = await signBy(key, 'RS256');
  expect(outcome(await verifier.verify(genuine, [confused], NOW_MS))).toBe('token');
});

test('a shared secret verifies nothing but HMAC, whatever the entry lists', async () => {
  const key = await makeKey('ES256');
  await using verifier = openTokenVerifier();
  const entry = issuerWith({ algorithms: new Set(['ES256', 'HS256']) });
  const token = await signBy(key, 'ES256');
  expect(outcome(await verifier.verify(token, [entry], NOW_MS))).toBe('token_invalid');
});

test('keys and addresses in a header are neither used nor connected to', async () => {
  const known = await makeKey('ES256', 'k1');
  const own = await makeKey('ES256', 'k1');
  await using server = await openKeyServer(servesKeys(known));
  await using trap = await openKeyServer(servesKeys(own));
  await using verifier = openTokenVerifier();
  const entry = issuerAt([server.origin]);
  const headers = [
    { jwk: own.jwk },
    { jku: `${trap.origin}/jwks` },
    { x5u: `${trap.origin}/x5u` },
    { x5c: ['MIIB'] },
    { kid: `${trap.origin}/kid` },
    { kid: '../../../../dev/null' },
  ];
  for (const header of headers) {
    const token = await sign(GOOD, own.pair.privateKey, { alg: 'ES256', kid: 'k1', ...header });
    expect(outcome(await verifier.verify(token, [entry], NOW_MS))).toBe('token_invalid');
  }
  expect(trap.asked).toEqual([]);
  expect(server.asked.length).toBeLessThanOrEqual(2);
});
