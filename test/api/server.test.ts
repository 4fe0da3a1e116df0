import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Api } from '../../src/api/parts.ts';
import { openApiServer } from '../../src/api/server.ts';
import { openDirectory } from '../config/policy-file.ts';

/** Answers with the peer that it was told of. */
const TELL_PEER: Api = async (_, peer) => new Response(peer ?? 'nobody');

test('it listens on a free port, and tells the address of the connection', async () => {
  const server = await openApiServer('127.0.0.1:0', TELL_PEER);
  expect(server.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  expect(await (await fetch(`http://${server.address}/`)).text()).toBe('127.0.0.1');
  await server.close();
  await expect(fetch(`http://${server.address}/`)).rejects.toThrow();
});

test('an address that is taken rejects with its name', async () => {
  const server = await openApiServer('127.0.0.1:0', TELL_PEER);
  await expect(openApiServer(server.address, TELL_PEER)).rejects.toThrow(server.address);
  await server.close();
});

describe('a socket in the file system', () => {
  test('is served, its callers are of this machine', async () => {
    using directory = openDirectory();
    const path = join(directory.path, 'api.sock');
    const server = await openApiServer(`unix:${path}`, TELL_PEER);
    expect(await overSocket(path)).toBe('127.0.0.1');
    await expect(openApiServer(`unix:${path}`, TELL_PEER)).rejects.toThrow(path);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });
});

test('close waits for what is in flight', async () => {
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  const server = await openApiServer('127.0.0.1:0', async () => {
    asked();
    await mayAnswer;
    return new Response('done');
  });
  const answered = fetch(`http://${server.address}/`).then((response) => response.text());
  await isAsked;
  const closed = server.close();
  answer();
  expect(await answered).toBe('done');
  await closed;
});

test.each([
  ['a target that is no path', 'GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a host that is none', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['no HTTP', 'hello\r\n\r\n'],
])('%s is 400', async (_, text) => {
  const server = await openApiServer('127.0.0.1:0', TELL_PEER);
  const [host = '', port] = server.address.split(':');
  const socket = connect(Number(port), host);
  const told = new Promise<string>((resolve) => socket.once('data', (data) => resolve(`${data}`)));
  socket.write(text);
  expect(await told).toMatch(/^HTTP\/1\.1 400 /);
  socket.destroy();
  await server.close();
});

function overSocket(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/', headers: { connection: 'close' } }, (came) => {
      came.setEncoding('utf8').once('data', resolve);
    });
    asked.once('error', reject).end();
  });
}
