import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isSignedBy, readReporterKeys } from '../../src/api/leaked-signature.ts';
import { keysDocument, makeReporter } from './leaked-reporter.ts';

const reporter = makeReporter('one');
const stranger = makeReporter('two');
const body = '[{"token":"pst_x"}]';
const bytes = Buffer.from(body);

function keyOf({ identifier }: { readonly identifier: string }) {
  const key = readReporterKeys(keysDocument(reporter, stranger))?.get(identifier);
  if (!key) throw new Error('the document lost a key');
  return key;
}

describe('a signature', () => {
  test('of the bytes by the key holds', () => {
    expect(isSignedBy(keyOf(reporter), bytes, reporter.signs(body))).toBe(true);
  });

  const good = reporter.signs(body);
  const raw = Buffer.from(good, 'base64');
  test.each([
    ['by another key', stranger.signs(body)],
    ['of other bytes', reporter.signs(`${body} `)],
    ['that is empty', ''],
    ['that is no base64', '!!!!!!!!!!!!'],
    ['in base64url', raw.toString('base64url').replaceAll(/[A-Z]/g, '-')],
    [
      'with a byte changed',
      Buffer.from(raw.map((one, at) => (at === 20 ? one ^ 1 : one))).toString('base64'),
    ],
    ['cut short', raw.subarray(0, 40).toString('base64')],
    ['with space around it', ` ${good} `],
    ['as long as nobody signs', 'A'.repeat(4096)],
  ])('%s does not', (_, signature) => {
    expect(isSignedBy(keyOf(reporter), bytes, signature)).toBe(false);
  });
});

describe('a document of public keys', () => {
  test.each([
    ['no JSON', 'public keys', undefined],
    ['another document', '{"keys":[]}', undefined],
    ['a list that is none', '{"public_keys":{"a":1}}', undefined],
    ['an empty list', '{"public_keys":[]}', 0],
    [
      'entries of other shapes',
      '{"public_keys":[1,null,{"key_identifier":"a"},{"key_identifier":"a","key":"b"}]}',
      0,
    ],
    ['a key on another curve', keysDocument(makeReporter('p384', 'secp384r1')), 0],
    ['an RSA key', keysDocument({ ...reporter, pem: rsaPem() }), 0],
    ['a key without a name', keysDocument({ ...reporter, identifier: '' }), 0],
    ['two keys', keysDocument(reporter, stranger), 2],
  ])('with %s', (_, text, count) => {
    expect(readReporterKeys(text)?.size).toBe(count);
  });
});

function rsaPem(): string {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}
