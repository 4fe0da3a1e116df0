import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeAuthority } from '../../e2e/certificates.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { countCall, openLink } from './link-calls.ts';

const KEY = 'link:{subject}:counter';

describeRedisServer('a link over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-link-tls-'));
  const authority = makeAuthority(folder, 'root');
  const stranger = makeAuthority(folder, 'stranger');
  const server = authority.issue('redis', 'DNS:redis.internal');
  const client = authority.issue('client', 'DNS:postern.internal');
  const tls = {
    ca: authority.certPath,
    cert: client.certPath,
    key: client.keyPath,
    serverName: 'redis.internal',
  };
  let redis: RedisServer;

  beforeAll(async () => {
    const files = { ca: authority.certPath, cert: server.certPath, key: server.keyPath };
    redis = await startRedis({ tls: files });
  });
  afterAll(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true });
  });

  it('runs calls with a client certificate', async () => {
    const link = await openLink([redis.url], { tls });
    await link.run(countCall(KEY, 1000));
    await link.close();
  });

  it.each([
    ['a server of an unknown authority', { ...tls, ca: stranger.certPath }],
    ['a server of another name', { ...tls, serverName: 'other.internal' }],
  ])('refuses %s', async (_, other) => {
    const link = await openLink([redis.url], { tls: other, openWithinMs: 300 });
    expect(link.nodes()).toMatchObject([{ breaker: 'open' }]);
    expect(link.failures.length).toBeGreaterThan(0);
    await link.close();
  });

  it('takes up a rotated file when it connects again, and keeps the last where there is none', async () => {
    const cert = join(folder, 'rotated.crt');
    const key = join(folder, 'rotated.key');
    copyFileSync(stranger.certPath, cert);
    copyFileSync(stranger.keyPath, key);
    const link = await openLink([redis.url], { tls: { ...tls, cert, key }, openWithinMs: 300 });
    expect(link.nodes()).toMatchObject([{ breaker: 'open' }]);
    writeFileSync(cert, 'half a file');
    writeFileSync(cert, client.cert);
    writeFileSync(key, client.key);
    await waitFor('it serves', () => link.nodes()[0]?.breaker === 'closed');
    rmSync(cert);
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await waitFor('it is lost', () => link.nodes()[0]?.breaker !== 'closed');
    await waitFor('it serves again', () => link.nodes()[0]?.breaker === 'closed');
    await link.close();
  });

  it('connects again by itself after a file was half written', async () => {
    const ca = join(folder, 'half.crt');
    writeFileSync(ca, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const link = await openLink([redis.url], { tls: { ...tls, ca }, openWithinMs: 300 });
    copyFileSync(authority.certPath, ca);
    await waitFor('it serves', () => link.nodes()[0]?.breaker === 'closed');
    await link.close();
  });

  it('is not opened with a file that cannot be read', async () => {
    const missing = openLink([redis.url], { tls: { ...tls, ca: join(folder, 'missing.crt') } });
    await expect(missing).rejects.toThrow('missing.crt');
  });
});
