import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Document } from 'yaml';
import { makeAuthority } from '../../../../test/e2e/certificates.ts';
import { type RedisServer, startRedis } from '../../../../test/redis-harness/redis.ts';
import { clusterPath, deriveBootstrap } from '../../bootstrap.ts';
import { startEcho } from '../../echo-upstream.ts';
import { type RunningEnvoy, runEnvoy } from '../../run-envoy.ts';
import { type RunningPostern, runPostern } from '../../run-postern.ts';
import { type Actor, type Play, startPlay } from './actors.ts';
import { mintStageKey, type StageIssuer, startIssuer } from './credentials.ts';
import { type Cast, stagePolicy } from './policy.ts';
import { type RunningPrometheus, runPrometheus } from './prometheus-server.ts';

/** The whole deployment on the loopback address: Envoy, Postern over TLS, Redis, an issuer, a webhook and Prometheus. */
export type Stage = {
  readonly postern: RunningPostern;
  readonly envoy: RunningEnvoy;
  readonly redis: RedisServer;
  readonly prometheus: RunningPrometheus;
  readonly opsUrl: string;
  readonly cast: Cast;
  readonly issuer: StageIssuer;
  readonly play: (actors: readonly Actor[]) => Play;
  /** Changes the policy a little; Postern reloads it a moment later. */
  readonly reload: () => void;
  readonly stop: () => Promise<void>;
};

const ENVOY_CONFIG = join(import.meta.dirname, '..', '..', '..', '..', 'envoy.yaml');
/** On a busy machine Envoy's own 250 ms would be a failure of the machine. */
const PATIENT = '2s';
const CERTIFICATE_NAME = 'DNS:postern.local';

type Stop = () => Promise<unknown>;

/** Sets the stage; `binary` is Envoy's. What was started is stopped when something does not start. */
export async function openStage(binary: string): Promise<Stage> {
  const stops: Stop[] = [];
  try {
    return await raise(binary, stops);
  } catch (cause) {
    await stopAll(stops);
    throw cause;
  }
}

async function raise(binary: string, stops: Stop[]): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-stage-'));
  stops.push(async () => rmSync(folder, { recursive: true, force: true }));
  const keep = <T extends { readonly stop: Stop }>(started: T): T => {
    stops.push(started.stop);
    return started;
  };
  const authority = makeAuthority(folder, 'ca');
  const certificate = authority.issue('postern', CERTIFICATE_NAME);
  const [redis, issuer, sink, echo] = await Promise.all([
    startRedis().then(keep),
    startIssuer().then(keep),
    startSink().then(keep),
    startEcho(),
  ]);
  stops.push(async () => echo.server.close());
  const cast = {
    acme: mintStageKey(),
    globex: mintStageKey(),
    initech: mintStageKey(),
    expired: mintStageKey(),
  };
  const policy = stagePolicy(cast, issuer, {
    redisUrl: redis.url,
    webhookUrl: sink.url,
    tls: { cert: certificate.certPath, key: certificate.keyPath },
    folder,
  });
  const configPath = join(folder, 'policy.yaml');
  let edition = 0;
  const write = () =>
    writeFileSync(configPath, JSON.stringify({ ...policy, 'x-edition': edition }));
  write();
  const postern = keep(await runPostern({ configPath, args: ['--log-level', 'error'] }));
  const opsUrl = `http://${postern.addresses['ops']}`;
  const envoy = keep(await runEnvoy(binary, bootstrap(postern, echo.port, authority.certPath)));
  const prometheus = keep(
    await runPrometheus(folder, [
      { job: 'postern', url: `${opsUrl}/metrics` },
      { job: 'envoy', url: `${envoy.adminUrl}/stats/prometheus` },
    ]),
  );
  return {
    ...{ postern, envoy, redis, prometheus, opsUrl, cast, issuer },
    play: (actors) => startPlay(envoy.port, actors),
    reload: () => {
      edition += 1;
      write();
    },
    stop: () => stopAll(stops),
  };
}

/** The last started first, and every one of them. */
async function stopAll(stops: readonly Stop[]): Promise<void> {
  for (const stop of stops.toReversed()) await stop();
}

function bootstrap(postern: RunningPostern, upstreamPort: number, authorityPath: string): string {
  return deriveBootstrap(readFileSync(ENVOY_CONFIG, 'utf8'), {
    listenerPort: 0,
    adminPort: 0,
    upstreamPort,
    checkAddresses: [postern.addresses['check'] ?? ''],
    opsAddress: postern.addresses['ops'],
    apiAddress: postern.addresses['api'],
    checkTimeout: PATIENT,
    overrides: (text) => askOverTls(text, authorityPath),
  });
}

function askOverTls(bootstrap: Document, authorityPath: string): void {
  const socket = {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      common_tls_context: {
        alpn_protocols: ['h2'],
        validation_context: { trusted_ca: { filename: authorityPath } },
      },
    },
  };
  const path = [...clusterPath(bootstrap, 'postern'), 'transport_socket'];
  bootstrap.setIn(path, bootstrap.createNode(socket));
}

/** Takes every message, as a webhook does that is well. */
async function startSink(): Promise<{ readonly url: string; readonly stop: Stop }> {
  const server = createServer((message, response) => {
    message.resume();
    message.on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
