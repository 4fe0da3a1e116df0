import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCheck } from '../../src/envoy/decode.ts';
import { loadProtocol } from '../../src/envoy/protocol.ts';

const { checkRequest } = loadProtocol();

/** The library's bytes of a message. */
function write(message: object): Uint8Array {
  return checkRequest.encode(checkRequest.fromObject(message)).finish();
}

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const ascii = fc.string({ maxLength: 40 });
const name = fc.string({ unit: fc.constantFrom(...'abz-_:09'), minLength: 1, maxLength: 12 });
const peer = fc.record({
  address: fc.record({ socket_address: fc.record({ address: ascii, port_value: fc.nat(65_535) }) }),
  principal: text,
});

test('our decoder reads what the library writes', () => {
  const message = fc.record({
    source: peer,
    destination: peer,
    context_extensions: fc.dictionary(name, text),
    request: fc.record({
      time: fc.record({ seconds: fc.nat(), nanos: fc.nat(999) }),
      http: fc.record({
        id: ascii,
        method: ascii,
        path: text,
        host: text,
        scheme: ascii,
        size: fc.integer({ min: -1 }),
        protocol: ascii,
        body: text,
        raw_body: fc.uint8Array(),
        headers: fc.dictionary(name, text),
      }),
    }),
  });
  fc.assert(
    fc.property(message, (attributes) => {
      const { http } = attributes.request;
      const asked = decodeCheck(write({ attributes }));
      const entries = Object.entries(http.headers).map(
        ([key, value]) => [key, [Buffer.from(value).toString('latin1')]] as const,
      );
      expect(asked).toMatchObject({
        isHttp: true,
        isText: true,
        method: http.method,
        path: http.path,
        host: http.host,
        scheme: http.scheme,
        sourceAddress: attributes.source.address.socket_address.address,
        destinationAddress: attributes.destination.address.socket_address.address,
      });
      expect(asked.headers).toEqual(new Map(entries));
      expect(asked.contextExtensions).toEqual(
        new Map(Object.entries(attributes.context_extensions)),
      );
    }),
  );
});

test('raw headers keep their order, their repeats and their bytes', () => {
  const headers = [
    { key: 'X-One', raw_value: Buffer.from([0x61, 0xff, 0x00]) },
    { key: 'two', value: 'by text' },
    { key: 'x-one', raw_value: Buffer.from('b') },
    { key: '__proto__', raw_value: Buffer.from('plain data') },
  ];
  const http = { header_map: { headers } };
  const asked = decodeCheck(write({ attributes: { request: { http } } }));
  expect([...asked.headers]).toEqual([
    ['x-one', ['a\u00ff\0', 'b']],
    ['two', ['by text']],
    ['__proto__', ['plain data']],
  ]);
  expect(asked.isText).toBe(true);
});

test('a text that is not UTF-8 is noticed, and U+FFFD itself is not one', () => {
  const ask = (path: Buffer) => {
    const good = Buffer.from(write({ attributes: { request: { http: { path: 'PLACE' } } } }));
    const at = good.indexOf('PLACE');
    path.copy(good, at);
    return decodeCheck(good).isText;
  };
  expect(ask(Buffer.from('/\uFFFDa'))).toBe(true);
  expect(ask(Buffer.from([0x2f, 0xff, 0x61, 0x62, 0x63]))).toBe(false);
});

test('no bytes make it hang or fail in another way than with an error', () => {
  const good = Buffer.from(
    write({ attributes: { request: { http: { path: '/a', headers: { a: 'b' } } } } }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(good.length), (noise, at) => {
      for (const bytes of [
        noise,
        Buffer.concat([good.subarray(0, at), noise, good.subarray(at)]),
      ]) {
        try {
          decodeCheck(bytes);
        } catch (cause) {
          expect(cause).toBeInstanceOf(Error);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
