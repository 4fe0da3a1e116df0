import { describe, expect, test } from 'vitest';
import { originRule } from '../../src/core/key-record.ts';
import { compileOrigins, holdsOrigin, parseOrigin, parseReferer } from '../../src/core/origin.ts';

const APP = { scheme: 'https', host: 'app.example.com', port: 443 };

describe('a Referer in good form', () => {
  test.each([
    ['https://app.example.com', APP],
    ['https://app.example.com/', APP],
    ['https://app.example.com/a/b?c=d#e', APP],
    ['https://app.example.com?a', APP],
    ['https://app.example.com#a', APP],
    ['https://app.example.com/@user:x', APP],
    ['https://app.example.com/http://evil.com/', APP],
    ['https://APP.Example.com/', APP],
    ['https://app.example.com:443/', APP],
    ['http://app.example.com/', { ...APP, scheme: 'http', port: 80 }],
    ['http://app.example.com:80/', { ...APP, scheme: 'http', port: 80 }],
    ['http://app.example.com:443/', { ...APP, scheme: 'http', port: 443 }],
    ['https://app.example.com:8443/x', { ...APP, port: 8443 }],
    ['https://[::1]:8443/', { scheme: 'https', host: '[::1]', port: 8443 }],
    ['https://[2001:DB8::1]/', { scheme: 'https', host: '[2001:db8::1]', port: 443 }],
    ['http://127.0.0.1:3000/', { scheme: 'http', host: '127.0.0.1', port: 3000 }],
    ['http://localhost/', { scheme: 'http', host: 'localhost', port: 80 }],
    ['https://xn--caf-dma.example.com/', { ...APP, host: 'xn--caf-dma.example.com' }],
  ])('%s', (raw, expected) => {
    expect(parseReferer(raw)).toEqual(expected);
  });
});

/** Garbage as a Referer and as an Origin. */
const GARBAGE = [
  '',
  'null',
  'Null',
  'app.example.com',
  '//app.example.com/',
  '/a',
  'https:app.example.com',
  'https:/app.example.com',
  'https:\\\\app.example.com',
  'https:///app.example.com',
  'https://',
  'https:///',
  'https://?app.example.com',
  'HTTPS://app.example.com',
  'Https://app.example.com',
  ' https://app.example.com',
  'https://app.example.com ',
  'https://app.example.com/a b',
  'https:// app.example.com',
  'https://app.\texample.com',
  'ht\ntps://app.example.com',
  'https://app.example.com\0',
  'https://app.example.com/\x7f',
  'https://app.example.com\\@evil.com',
  'https://evil.com\\.app.example.com',
  'https://app.example.com/\\evil.com',
  'https://user@app.example.com',
  'https://user:pass@app.example.com/',
  'https://app.example.com@evil.com/',
  'https://app.example.com:443@evil.com/',
  'https://@app.example.com',
  'https://app.example.com:',
  'https://app.example.com:x',
  'https://app.example.com:99999',
  'https://app.example.com:+443',
  'https://app.example.com:443:443',
  'https://app%2eexample.com',
  'https://%61pp.example.com',
  'https://app\u3002example.com',
  'https://app\uff0eexample.com',
  'https://\uff41pp.example.com',
  'https://app.example.com/caf\u00e9',
  'https://caf\u00e9.example.com',
  'https://app.example.c\u00adom',
  'blob:https://app.example.com/uuid',
  'data:text/html,x',
  'file:///etc/passwd',
  'ftp://app.example.com',
  'ws://app.example.com',
  'javascript:alert(1)',
  'chrome-extension://abcdef',
  'about:blank',
  'https://0x7f.1',
  'https://2130706433',
  'https://127.1',
  'https://010.0.0.1',
  'https://[::1',
  'https://[::1%25eth0]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[0:0:0:0:0:0:0:1]/',
  'https://a,https://b',
  'https://a b',
  'https://<app.example.com>',
];

describe('garbage', () => {
  test.each(GARBAGE)('%j', (raw) => {
    expect(parseOrigin(raw)).toBeUndefined();
    const read = parseReferer(raw);
    // A Referer may hold a comma in its path; whatever is read must be the host as sent.
    if (read) expect(raw.startsWith(`${read.scheme}://${read.host}`)).toBe(true);
    else expect(read).toBeUndefined();
    expect(read?.host).not.toBe('app.example.com');
  });

  test.each([
    'https://app.example.com/',
    'https://app.example.com/a',
    'https://app.example.com?',
    'https://app.example.com#',
  ])('an Origin has no path: %s', (raw) => {
    expect(parseOrigin(raw)).toBeUndefined();
    expect(parseReferer(raw)).toEqual(APP);
  });
});

describe('a list of domains', () => {
  const { allow } = originRule([
    'app.example.com',
    '*.preview.example.com',
    'https://h.example.com:8443',
    'https://*.sub.example.com',
    'http://plain.example.com',
    'https://*.ports.example.com:9443',
    'https://[2001:db8::1]',
  ]);
  test.each([
    ['https://app.example.com', true],
    ['http://app.example.com', true],
    ['https://APP.example.com', true],
    ['https://app.example.com:443', true],
    ['http://app.example.com:80', true],
    ['https://app.example.com:8443', false],
    ['http://app.example.com:443', false],
    ['https://app.example.com:80', false],
    ['https://app.example.com.', false],
    ['https://x.app.example.com', false],
    ['https://xapp.example.com', false],
    ['https://app.example.com.evil.com', false],
    ['https://example.com', false],
    ['https://a.preview.example.com', true],
    ['http://a.b.preview.example.com', true],
    ['https://preview.example.com', false],
    ['https://.preview.example.com', false],
    ['https://xpreview.example.com', false],
    ['https://a.preview.example.com:8443', false],
    ['https://a.preview.example.com.', false],
    ['https://a.preview.example.com.evil.com', false],
    ['https://h.example.com:8443', true],
    ['http://h.example.com:8443', false],
    ['https://h.example.com', false],
    ['https://a.sub.example.com', true],
    ['https://sub.example.com', false],
    ['http://a.sub.example.com', false],
    ['https://a.sub.example.com:8443', false],
    ['http://plain.example.com', true],
    ['https://plain.example.com', false],
    ['https://a.ports.example.com:9443', true],
    ['https://a.ports.example.com', false],
    ['https://[2001:db8::1]', true],
    ['https://[2001:DB8::1]', true],
    ['https://[2001:db8::2]', false],
    ['http://[2001:db8::1]', false],
  ])('%s: %s', (raw, expected) => {
    const origin = parseOrigin(raw);
    expect(origin !== undefined && holdsOrigin(allow, origin)).toBe(expected);
  });

  test.each(
    [
      '',
      '*',
      '*.',
      '**.a.com',
      'a.*.com',
      '*a.com',
      'https://',
      'ftp://a.com',
      'a.com/x',
      'https://a.com/',
      'user@a.com',
      'a b.com',
      'https://a.com:99999',
      'null',
      'caf\u00e9.com',
      'https://a.com?x',
      'a\\b',
    ].filter((one) => one !== 'null'),
  )('%j is no domain', (pattern) => {
    expect(compileOrigins([pattern])).toHaveProperty('problem');
  });
});
