import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type Environment, readEnvironment } from './config/environment.ts';
import { writeListen } from './config/location.ts';
import { type OpenPolicy, openPolicy, type PolicyChange } from './config/open-policy.ts';
import { writeProblem } from './config/problem.ts';
import type { Settings, TlsFiles } from './config/settings.ts';
import { guardPorts, PortFailure } from './core/ports.ts';
import { type CheckRecord, createHandleCheck } from './envoy/authorization.ts';
import { loadProtocol } from './envoy/protocol.ts';
import { type CheckServer, openCheckServer, type ServerTls } from './envoy/server.ts';
import type { TokenEvent } from './jwt/settings.ts';
import { openTokenVerifier, type TokenVerifier } from './jwt/verifier.ts';
import { type LineWriter, openLineWriter } from './observe/line-writer.ts';
import { type Logger, openLog } from './observe/log.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import { type OpsServer, openOpsServer } from './observe/ops-server.ts';
import { createRecorder } from './observe/recorder.ts';
import { type MemoryStore, openMemoryStore } from './store/memory.ts';

/** A running Postern. */
export type App = {
  readonly store: MemoryStore;
  readonly reload: () => Promise<void>;
  /** Drains: tells health and readiness, answers what is in flight, flushes the audit. */
  readonly close: () => Promise<void>;
};

export type AppOptions = {
  /** The policy: a file or a directory. */
  readonly path: string;
  readonly logLevel: string;
};

const STDOUT = 1;
const FLUSH_MS = 2000;
/** Time for Envoy to see NOT_SERVING before connections close. */
const NOTICE_MS = 1000;
/** Time for checks in flight; each has an inner budget far below. */
const GRACE_MS = 5000;

/** Opens everything that a policy asks for, or names the policy's problems. */
export async function openApp(
  options: AppOptions,
): Promise<App | { readonly problems: readonly string[] }> {
  const env = readEnvironment();
  const log = openLog(options.logLevel);
  const writer = openLineWriter(STDOUT);
  const heard: {
    change?: (change: PolicyChange) => void;
    problem?: (texts: readonly string[]) => void;
  } = {};
  const opened = await openPolicy({
    path: options.path,
    env,
    onChange: (change) => heard.change?.(change),
    onProblem: (problems) => heard.problem?.(problems),
  });
  if ('problems' in opened) return { problems: opened.problems.map(writeProblem) };
  for (const warning of opened.warnings) log.warn(writeProblem(warning));
  const parts = openParts({ opened, log, writer, env });
  heard.change = (change) => applyChange(parts, change);
  heard.problem = (problems) => refuseChange(parts, problems);
  const check = await openCheck(parts);
  const ops = await openOps(parts).catch(async (cause) => {
    await check.close(0);
    throw cause;
  });
  announce(writer, 'check', check.address);
  announce(writer, 'ops', ops.address);
  return {
    store: parts.store,
    reload: opened.reload,
    close: () => close(parts, check, ops),
  };
}

type Parts = {
  readonly opened: OpenPolicy;
  readonly log: Logger;
  readonly writer: LineWriter;
  readonly store: MemoryStore;
  readonly tokens: TokenVerifier;
  readonly metrics: Metrics;
  readonly maskKey: string | undefined;
  readonly state: { isDraining: boolean };
};

function openParts(given: {
  readonly opened: OpenPolicy;
  readonly log: Logger;
  readonly writer: LineWriter;
  readonly env: Environment;
}): Parts {
  const { opened, log, writer, env } = given;
  const store = openStore(opened.settings);
  const metrics = createMetrics({
    subjects: store.counts,
    audit: writer.counts,
    jwks: () =>
      tokens.state().flatMap(({ issuers, keys, status }) =>
        issuers.map((issuer) => ({
          issuer,
          keys,
          isUsable: status === 'fresh' || status === 'stale',
        })),
      ),
    build: { version: version(), node: process.versions.node },
  });
  const tokens = openTokenVerifier({ onEvent: (event) => hearToken(event, metrics, log) });
  tokens.use(opened.policy().issuers);
  metrics.reload(true, Date.now(), opened.policy().hash);
  const maskKey = env['POSTERN_MASK_KEY'];
  return { opened, log, writer, store, tokens, metrics, maskKey, state: { isDraining: false } };
}

function openStore({ store, limits }: Settings): MemoryStore {
  if (store.kind !== 'memory') {
    throw new Error(`store: ${store.kind} is not part of this version; use "store: memory"`);
  }
  return openMemoryStore(limits);
}

function openCheck(parts: Parts): Promise<CheckServer> {
  const { opened, log, store, tokens, metrics } = parts;
  const protocol = loadProtocol();
  const { findKey, findWorkspace, takeLimits } = store;
  const stored = { findOwner: () => undefined, findRoles: () => undefined };
  const handleCheck = createHandleCheck({
    ports: guardPorts({
      findKey,
      findWorkspace,
      takeLimits,
      verifyToken: tokens.verify,
      ...stored,
    }),
    policy: opened.policy,
    now: Date.now,
    hostAddresses: hostAddresses(),
    record: recordWith(parts),
    onFailure: (cause) => {
      metrics.failure(cause instanceof PortFailure ? 'port' : 'bug');
      log.error({ err: cause }, 'a check failed and was denied');
    },
  });
  const { address, tls } = opened.settings.listen.check;
  return openCheckServer({
    address: writeListen(address),
    tls: tls && readTls(tls),
    protocol,
    handleCheck,
  });
}

/** Metrics and audit of a check; why a credential was refused goes to the log of whoever debugs. */
function recordWith(parts: Parts): (record: CheckRecord) => void {
  const recorder = createRecorder(parts);
  return (record) => {
    recorder(record);
    const { decision, request } = record;
    if (decision.kind !== 'deny' || decision.detail === undefined) return;
    const { reason, detail } = decision;
    parts.log.debug({ reason, detail, request_id: request.id }, 'refused');
  };
}

function openOps({ opened, metrics, state }: Parts): Promise<OpsServer> {
  return openOpsServer(writeListen(opened.settings.listen.ops), {
    product: () => opened.policy().product,
    unready: () => (state.isDraining ? ['draining'] : []),
    metrics: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
  });
}

function applyChange({ tokens, metrics, log }: Parts, change: PolicyChange): void {
  tokens.use(change.policy.issuers);
  metrics.reload(true, Date.now(), change.policy.hash);
  for (const warning of change.warnings) log.warn(writeProblem(warning));
  for (const looser of change.loosened)
    log.warn({ loosened: looser }, 'the new policy allows more');
  for (const key of change.restart) log.warn(`${key} has changed: restart to apply it`);
  log.info({ policy: change.policy.hash }, 'policy reloaded');
}

function refuseChange({ metrics, log }: Parts, problems: readonly string[]): void {
  metrics.reload(false, Date.now(), '');
  for (const problem of problems) log.error(problem);
  log.error('the policy has problems: the one before stays in force');
}

function hearToken(event: TokenEvent, metrics: Metrics, log: Logger): void {
  if (event.kind === 'cache') {
    metrics.tokenCache(event.hit ? 'hit' : 'miss');
    return;
  }
  const { issuer, location, detail } = event;
  if (event.kind === 'jwks_key_skipped') {
    log.warn({ issuer, location, detail }, 'a key of the set is not used');
    return;
  }
  metrics.jwksFetch(issuer, event.ok ? 'ok' : 'failed');
  if (!event.ok) log.warn({ issuer, location, detail }, 'the key set cannot be loaded');
}

async function close(parts: Parts, check: CheckServer, ops: OpsServer): Promise<void> {
  parts.log.info('draining');
  parts.state.isDraining = true;
  check.stopServing();
  await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
  await check.close(GRACE_MS);
  await parts.writer.flush(FLUSH_MS);
  await ops.close();
  await parts.tokens[Symbol.asyncDispose]();
  await parts.opened[Symbol.asyncDispose]();
  parts.log.info('stopped');
}

function announce(writer: LineWriter, listener: 'check' | 'ops', address: string): void {
  writer.write(JSON.stringify({ msg: 'listening', listener, address }));
}

function readTls({ cert, key, clientCa, clientNames }: TlsFiles): ServerTls {
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    clientCa: clientCa === undefined ? undefined : readFileSync(clientCa),
    clientNames,
  };
}

function hostAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => address));
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String(JSON.parse(text).version);
}
