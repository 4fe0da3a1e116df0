import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse as Out } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createKeptKeys } from '../../src/api/leaked-public-keys.ts';
import { keysDocument, makeReporter, openDocumentServer } from './leaked-reporter.ts';

const one = makeReporter('one');
const two = makeReporter('two');
const NOW = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function openKeys() {
  const failures: unknown[] = [];
  return { ...createKeptKeys((cause) => failures.push(cause)), failures };
}

describe('public keys by http', () => {
  test('are read once and kept', async () => {
    await using server = await openDocumentServer((_, out) => out.end(keysDocument(one)));
    const keys = openKeys();
    for (const afterMs of [0, MINUTE, HOUR - 1]) {
      expect((await keys.keysFor(server.url, 'one', NOW + afterMs))?.has('one')).toBe(true);
    }
    expect(server.asked.count).toBe(1);
    await keys.keysFor(server.url, 'one', NOW + HOUR);
    expect(server.asked.count).toBe(2);
  });

  test('are read by one trip for many reports at once', async () => {
    await using server = await openDocumentServer((_, out) => out.end(keysDocument(one)));
    const keys = openKeys();
    const found = await Promise.all(
      Array.from({ length: 20 }, () => keys.keysFor(server.url, 'one', NOW)),
    );
    expect(found.every((known) => known?.has('one'))).toBe(true);
    expect(server.asked.count).toBe(1);
  });

  test('are read again for an unknown identifier, but at most once a minute', async () => {
    let text = keysDocument(one);
    await using server = await openDocumentServer((_, out) => out.end(text));
    const keys = openKeys();
    await keys.keysFor(server.url, 'one', NOW);
    text = keysDocument(one, two);
    for (const identifier of ['two', 'three', 'four']) {
      const known = await keys.keysFor(server.url, identifier, NOW + MINUTE - 1);
      expect(known?.has('two')).toBe(false);
    }
    expect(server.asked.count).toBe(1);
    expect((await keys.keysFor(server.url, 'two', NOW + MINUTE))?.has('two')).toBe(true);
    expect(server.asked.count).toBe(2);
  });

  test('that cannot be renewed serve for a day, and each failed trip is told once', async () => {
    let isUp = true;
    await using server = await openDocumentServer((_, out) => {
      out.statusCode = isUp ? 200 : 500;
      out.end(isUp ? keysDocument(one) : 'broken');
    });
    const keys = openKeys();
    await keys.keysFor(server.url, 'one', NOW);
    isUp = false;
    expect((await keys.keysFor(server.url, 'one', NOW + HOUR))?.has('one')).toBe(true);
    expect((await keys.keysFor(server.url, 'one', NOW + HOUR + 1))?.has('one')).toBe(true);
    expect(keys.failures).toHaveLength(1);
    expect(await keys.keysFor(server.url, 'one', NOW + 24 * HOUR)).toBeUndefined();
  });

  test.each([
    [
      'an answer that is no success',
      (out: Out) => Object.assign(out, { statusCode: 404 }).end(keysDocument(one)),
    ],
    ['a redirect', (out: Out) => out.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['more than 256 KiB', (out: Out) => out.end(keysDocument(one) + ' '.repeat(262_144))],
    ['no such document', (out: Out) => out.end('[]')],
  ])('%s gives none', async (_, answer) => {
    await using server = await openDocumentServer((__, out) => answer(out));
    const keys = openKeys();
    expect(await keys.keysFor(server.url, 'one', NOW)).toBeUndefined();
    expect(keys.failures).toHaveLength(1);
  });

  test('in the clear come from this machine alone', async () => {
    const keys = openKeys();
    expect(await keys.keysFor('http://192.0.2.1/keys', 'one', NOW)).toBeUndefined();
    expect(String((keys.failures[0] as Error).cause)).toContain(
      'neither https nor http on loopback',
    );
  });
});

test('public keys in a file are read, up to 256 KiB', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-leaked-'));
  try {
    const small = join(directory, 'keys.json');
    const large = join(directory, 'large.json');
    writeFileSync(small, keysDocument(one));
    writeFileSync(large, keysDocument(one) + ' '.repeat(262_144));
    const keys = openKeys();
    const read = (path: string) => keys.keysFor(pathToFileURL(path).href, 'one', NOW);
    expect((await read(small))?.has('one')).toBe(true);
    expect(await read(large)).toBeUndefined();
    expect(await read(directory)).toBeUndefined();
    expect(await read(join(directory, 'none.json'))).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
