import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endProcess } from '../../scripts/lib/run-envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { messageOf } from './messages.ts';
import { policyText, sample } from './policy.ts';
import { openRawClient, type RawClient } from './raw-client.ts';

const SERVING = 1;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const POLICY = {
  routes: [{ name: 'public', path: '/public/**', access: 'public' }],
};

let postern: Postern;
let client: RawClient;
let port: number;

beforeAll(async () => {
  postern = await startPostern({ policy: policyText(POLICY) });
  client = openRawClient(postern.checkAddress);
  port = Number(postern.checkAddress.split(':')[1]);
});

afterAll(async () => {
  client?.close();
  await postern?.kill();
});

/** Whatever came before: it lives, serves, and judges rightly. */
afterEach(async () => {
  expect(await client.health()).toBe(SERVING);
  expect((await client.check(messageOf({ path: '/public/x' }))).code).toBe(0);
  expect((await client.check(messageOf({ path: '/x' }))).code).toBe(7);
});

/** Writes bytes and waits for the end of the connection, or for a moment in which nothing comes. */
async function pour(bytes: Buffer | string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  socket.write(bytes);
  await new Promise<void>((resolve) => {
    socket.setTimeout(150, () => resolve());
    socket.on('close', () => resolve());
  });
  socket.destroy();
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const SETTINGS = frame(4, 0, 0, Buffer.alloc(0));

describe('bytes that are no gRPC', () => {
  test.each<[string, Buffer | string]>([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')],
    ['nothing', ''],
    ['noise', randomBytes(65_536)],
    ['a preface and noise', Buffer.concat([Buffer.from(PREFACE), randomBytes(65_536)])],
    ['half a preface', PREFACE.slice(0, 10)],
    [
      'headers that cannot be decoded',
      Buffer.concat([Buffer.from(PREFACE), SETTINGS, frame(1, 5, 1, randomBytes(40))]),
    ],
    [
      'data for a stream that is not open',
      Buffer.concat([Buffer.from(PREFACE), SETTINGS, frame(0, 1, 1, randomBytes(40))]),
    ],
    [
      'ten thousand pings',
      Buffer.concat([
        Buffer.from(PREFACE),
        SETTINGS,
        ...Array(10_000).fill(frame(6, 0, 0, randomBytes(8))),
      ]),
    ],
    [
      'ten thousand settings',
      Buffer.concat([Buffer.from(PREFACE), ...Array(10_000).fill(SETTINGS)]),
    ],
    [
      'a continuation that never ends',
      Buffer.concat([
        Buffer.from(PREFACE),
        SETTINGS,
        frame(1, 0, 1, Buffer.from([0x82])),
        ...Array(2000).fill(frame(9, 0, 1, Buffer.alloc(4000, 0x82))),
      ]),
    ],
  ])('%s', async (_name, bytes) => {
    await pour(bytes);
  });

  test('a hundred connections that come and go', async () => {
    await Promise.all(Array.from({ length: 100 }, () => pour(PREFACE.slice(0, 5))));
  });
});

describe('gRPC that is none of ours', () => {
  let session: ClientHttp2Session;

  beforeAll(() => {
    session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
  });
  afterAll(() => session?.destroy());

  /** The gRPC status of an answer; undefined when the stream was reset or nothing came. */
  function call(headers: object, body: Buffer): Promise<string | undefined> {
    return new Promise((resolve) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': CHECK,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      let status: string | undefined;
      const note = (fields: object) => {
        status = Reflect.get(fields, 'grpc-status') ?? status;
      };
      stream
        .on('response', note)
        .on('trailers', note)
        .on('error', () => {});
      stream.on('close', () => resolve(status));
      stream.setTimeout(1000, () => stream.close());
      stream.resume();
      stream.end(body);
    });
  }

  function framed(message: Uint8Array, flag = 0, length = message.length): Buffer {
    const head = Buffer.alloc(5);
    head.writeUInt8(flag, 0);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, message]);
  }

  const good = framed(messageOf({ path: '/public/x' }));

  test('the call that all others are held against', async () => {
    expect(await call({}, good)).toBe('0');
  });

  test.each<[string, object, Buffer]>([
    ['another method', { ':path': '/envoy.service.auth.v3.Authorization/Chuck' }, good],
    ['another version', { ':path': '/envoy.service.auth.v2.Authorization/Check' }, good],
    ['no path', { ':path': '/' }, good],
    ['no message', {}, Buffer.alloc(0)],
    ['half a message', {}, good.subarray(0, 20)],
    ['a length that is a lie', {}, framed(Buffer.alloc(10), 0, 0xffff_ffff)],
    ['a compressed message that is none', { 'grpc-encoding': 'gzip' }, framed(randomBytes(99), 1)],
    ['an unknown compression', { 'grpc-encoding': 'brotli' }, framed(randomBytes(99), 1)],
    ['a bad timeout', { 'grpc-timeout': 'soon' }, good],
    ['GET', { ':method': 'GET' }, Buffer.alloc(0)],
    ['another content type', { 'content-type': 'text/plain' }, good],
  ])('%s: no answer that is an allow', async (_name, headers, body) => {
    expect(await call(headers, body)).not.toBe('0');
  });

  test('two messages in one call: at most one answer', async () => {
    expect(await call({}, Buffer.concat([good, good]))).toMatch(/^(?:0|\d+)$/);
  });

  test('a gzip bomb: not unpacked beyond what a message may have', async () => {
    const { gzipSync } = await import('node:zlib');
    const bomb = framed(gzipSync(Buffer.alloc(200 * 1024 * 1024)), 1);
    expect(await call({ 'grpc-encoding': 'gzip' }, bomb)).not.toBe('0');
  });

  test('a thousand calls that are cancelled at once', async () => {
    for (let turn = 0; turn < 1000; turn += 1) {
      const stream = session.request({
        ':method': 'POST',
        ':path': CHECK,
        'content-type': 'application/grpc',
      });
      stream.on('error', () => {});
      stream.write(good);
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => session.ping(resolve));
  });
});

/** Lines before the first decision: where each listener is. */
const LISTENERS = 3;

describe('an audit that nobody reads', () => {
  test('holds up no check, is dropped at last and counted, and the rest is whole', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-stalled-'));
    const configPath = join(folder, 'policy.yaml');
    const any = '127.0.0.1:0';
    writeFileSync(
      configPath,
      policyText({ listen: { check: any, ops: any, api: any }, ...POLICY }),
    );
    const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
    const child = spawn(process.execPath, [main, 'serve', '--config', configPath], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const lines: string[] = [];
    const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const addressOf = (listener: string) =>
      lines.map((line) => JSON.parse(line)).find((line) => line.listener === listener)?.address;
    await expect.poll(() => addressOf('ops'), { timeout: 10_000 }).toBeDefined();
    child.stdout.pause();
    const asked = openRawClient(addressOf('check'));
    const message = messageOf({ path: `/public/${'a'.repeat(2040)}` });
    let slowestMs = 0;
    for (let wave = 0; wave < 40; wave += 1) {
      const startedMs = performance.now();
      await Promise.all(Array.from({ length: 250 }, () => asked.check(message)));
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    expect(slowestMs).toBeLessThan(3000);
    const page = await (await fetch(`http://${addressOf('ops')}/metrics`)).text();
    const dropped = sample(page, 'postern_audit_dropped');
    expect(dropped).toBeGreaterThan(0);
    expect(sample(page, 'postern_audit_waiting_bytes')).toBeLessThanOrEqual(16 * 1024 * 1024);
    child.stdout.resume();
    await expect.poll(() => lines.length, { timeout: 10_000 }).toBe(LISTENERS + 10_000 - dropped);
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
    asked.close();
    await endProcess(child);
    expect(child.exitCode).toBe(0);
    reader.close();
    rmSync(folder, { recursive: true });
  }, 60_000);
});
