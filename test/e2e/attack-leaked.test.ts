import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  keysDocument,
  makeReporter,
  openDocumentServer,
  type Reporter,
} from '../api/leaked-reporter.ts';
import { type Castle, castlePolicy, DECLARED, type Hit, openCastle } from './attack-castle.ts';
import { keyOf } from './attack-town.ts';
import { mint } from './policy.ts';

/** The order of P-256: s and n - s sign the same. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const TYPE = { 'content-type': 'application/json' };

let castle: Castle;
let documents: Awaited<ReturnType<typeof openDocumentServer>>;
let one: Reporter;
let other: Reporter;
let stranger: Reporter;
let otherCurve: Reporter;

beforeAll(async () => {
  [one, other, stranger] = [makeReporter('one'), makeReporter('other'), makeReporter('stranger')];
  otherCurve = makeReporter('curve', 'secp256k1');
  documents = await openDocumentServer((_, response) =>
    response.end(keysDocument(one, other, otherCurve)),
  );
  castle = await openCastle(castlePolicy({ api_keys: { leaked: { public_keys: documents.url } } }));
});
afterAll(async () => {
  await castle?.stop();
  await documents?.[Symbol.asyncDispose]();
});

type Report = {
  readonly by?: Reporter;
  readonly identifier?: string;
  readonly signature?: string;
};

function send(body: string, { by = one, identifier, signature }: Report = {}): Promise<Hit> {
  const headers = {
    ...TYPE,
    'github-public-key-identifier': identifier ?? by.identifier,
    'github-public-key-signature': signature ?? by.signs(body),
  };
  return castle.shoot({ method: 'POST', path: '/v1/leaked-keys', token: null, headers, body });
}

const bodyOf = (...tokens: readonly string[]) =>
  JSON.stringify(tokens.map((token) => ({ token, type: 'pst', url: 'https://x.example.com' })));

const statusOf = async (id: string) =>
  (await castle.ask('GET', `/v1/api-keys/${id}`)).body['status'];
const labelsOf = (hit: Hit) => JSON.parse(hit.text).map((each: { label: string }) => each.label);

/** The same signature with the other s. */
function malleated(signature: string): string {
  const der = Buffer.from(signature, 'base64');
  const rLength = der[3] ?? 0;
  const r = der.subarray(2, 4 + rLength);
  const s = ORDER - BigInt(`0x${der.subarray(6 + rLength).toString('hex')}`);
  const hex = s.toString(16).padStart(64, '0');
  const bytes = Buffer.from(Number.parseInt(hex.slice(0, 2), 16) > 127 ? `00${hex}` : hex, 'hex');
  const tail = Buffer.concat([Buffer.from([2, bytes.length]), bytes]);
  return Buffer.concat([Buffer.from([0x30, r.length + tail.length]), r, tail]).toString('base64');
}

describe('a report that nobody vouches for does nothing', () => {
  type Forgery = (body: string) => { readonly body?: string; readonly report: Report };
  const forgeries: readonly (readonly [string, Forgery])[] = [
    ['no signature', () => ({ report: { signature: '' } })],
    [
      'signed by a stranger in a known name',
      (body) => ({ report: { signature: stranger.signs(body) } }),
    ],
    ['signed by a stranger', () => ({ report: { by: stranger } })],
    [
      'signed by one in the name of another',
      (body) => ({ report: { by: other, signature: one.signs(body) } }),
    ],
    ['signed on another curve', () => ({ report: { by: otherCurve } })],
    [
      'one byte of the body changed',
      (body) => ({ body: `${body} `, report: { signature: one.signs(body) } }),
    ],
    [
      'one letter of the body changed',
      (body) => ({
        body: body.replace('x.example', 'y.example'),
        report: { signature: one.signs(body) },
      }),
    ],
    ['a signature of nothing', () => ({ report: { signature: one.signs('') } })],
    [
      'zeroes',
      () => ({ report: { signature: Buffer.from('3006020100020100', 'hex').toString('base64') } }),
    ],
    [
      'r and s of one',
      () => ({ report: { signature: Buffer.from('3006020101020101', 'hex').toString('base64') } }),
    ],
    ['a cut signature', (body) => ({ report: { signature: one.signs(body).slice(0, -8) } })],
    ['more than a signature', (body) => ({ report: { signature: `${one.signs(body)}AAAA` } })],
    ['a signature of 30 KB', () => ({ report: { signature: 'A'.repeat(30_000) } })],
    [
      'in hexadecimal',
      (body) => ({ report: { signature: Buffer.from(one.signs(body), 'base64').toString('hex') } }),
    ],
    ['a name of the prototype', () => ({ report: { identifier: '__proto__' } })],
    ['no name', () => ({ report: { identifier: '' } })],
  ];
  test.for(forgeries)('%s', async ([, forge]) => {
    const { id, key } = await keyOf(castle, {});
    const body = bodyOf(key);
    const before = await castle.dump();
    const forged = forge(body);
    const hit = await send(forged.body ?? body, forged.report);
    expect([hit.status, hit.body['reason']]).toEqual([401, 'signature_invalid']);
    expect(await castle.dump()).toBe(before);
    expect(await statusOf(id)).toBe('active');
  });

  test('many unknown names ask for the public keys once', async () => {
    const { count } = documents.asked;
    await Promise.all(
      Array.from({ length: 30 }, (_, at) => send('[]', { identifier: `name-${at}` })),
    );
    expect(documents.asked.count - count).toBeLessThanOrEqual(1);
  });

  test('signed, but not what a report is', async () => {
    const before = await castle.dump();
    const bodies = [
      '{}',
      'null',
      '[{}]',
      '[{"token":7}]',
      '[{"token":"a","token":"b"}]',
      '[[]]',
      '',
      '[{"token":"\\ud800"}]',
      '[{"token":"a","__proto__":{}}]',
    ];
    for (const body of bodies) {
      const hit = await send(body);
      expect([body, hit.status >= 400 && hit.status < 500]).toEqual([body, true]);
    }
    expect(await castle.dump()).toBe(before);
  });

  test.for([10_000, 1001])('%i tokens are too many, and none is looked at', async (count) => {
    const { id, key } = await keyOf(castle, {});
    const hit = await send(
      JSON.stringify(Array.from({ length: count }, () => ({ token: key.slice(0, 46) }))),
    );
    expect([413, 422]).toContain(hit.status);
    expect(hit.text.length).toBeLessThan(100_000);
    expect(await statusOf(id)).toBe('active');
  });
});

describe('a report that holds', () => {
  test('may come again, by either form of its signature, and changes nothing the second time', async () => {
    const { id, key } = await keyOf(castle, {});
    const body = bodyOf(key);
    const signature = one.signs(body);
    expect(labelsOf(await send(body, { signature }))).toEqual(['true_positive']);
    expect(await statusOf(id)).toBe('revoked');
    const before = await castle.dump();
    for (const again of [signature, malleated(signature)]) {
      const hit = await send(body, { signature: again });
      expect([200, 401]).toContain(hit.status);
    }
    expect(await castle.dump()).toBe(before);
  });

  test('revokes once what it names twice, and by eight reports at once', async () => {
    const { id, key } = await keyOf(castle, {});
    const hits = await Promise.all(Array.from({ length: 8 }, () => send(bodyOf(key, key))));
    expect(hits.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    const { body } = await castle.ask('GET', `/v1/audit-events?event=key.revoked&object=${id}`);
    expect((body['data'] as readonly object[]).length).toBe(1);
  });

  test('tells a declared key once, and does not end it', async () => {
    expect(labelsOf(await send(bodyOf(DECLARED.raw, DECLARED.raw)))).toEqual([
      'true_positive',
      'true_positive',
    ]);
    await send(bodyOf(DECLARED.raw));
    const { body } = await castle.ask(
      'GET',
      '/v1/audit-events?event=key.leaked&object=declared-key',
    );
    expect((body['data'] as readonly object[]).length).toBe(1);
    const { status } = await castle.ask('GET', '/v1/api-keys', undefined, { token: DECLARED.raw });
    expect(status).toBe(200);
  });

  test('leaves publishable keys, unknown keys and parts of keys alone', async () => {
    const browser = await keyOf(castle, { prefix: 'pk_' });
    const { id, key } = await keyOf(castle, {});
    const tokens = [
      browser.key,
      mint('pst_live_').raw,
      key.slice(0, -1),
      `${key} `,
      ` ${key}`,
      key.toUpperCase(),
    ];
    const labels = labelsOf(await send(bodyOf(...tokens)));
    expect(labels).toEqual(tokens.map(() => 'false_positive'));
    expect([await statusOf(browser.id), await statusOf(id)]).toEqual(['active', 'active']);
  });

  test('ends a disabled key and both secrets of a rotated one', async () => {
    const off = await keyOf(castle, {});
    await castle.make('POST', `/v1/api-keys/${off.id}/disable`);
    const old = await keyOf(castle, {});
    await castle.make('POST', `/v1/api-keys/${old.id}/rotate`, { grace_seconds: 3600 });
    await send(bodyOf(off.key, old.key));
    expect([await statusOf(off.id), await statusOf(old.id)]).toEqual(['revoked', 'revoked']);
  });

  test('ends a key while others change it', async () => {
    const { id, key } = await keyOf(castle, {});
    const path = `/v1/api-keys/${id}`;
    const changes = Array.from({ length: 10 }, (_, at) =>
      castle.ask('PATCH', path, { name: `n${at}` }),
    );
    const hit = await send(bodyOf(key));
    await Promise.all(changes);
    expect([hit.status, await statusOf(id)]).toEqual([200, 'revoked']);
  });

  test('says no word of what it was told', async () => {
    const { key } = await keyOf(castle, {});
    const { text } = await send(bodyOf(key));
    expect(text).not.toContain(key);
  });
});
