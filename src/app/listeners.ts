import { randomBytes } from 'node:crypto';
import { createApi } from '../api/api.ts';
import type { ApiParts } from '../api/parts.ts';
import { type ApiServer, openApiServer } from '../api/server.ts';
import { writeListen } from '../config/location.ts';
import type { Answered } from '../core/answered.ts';
import { PortFailure } from '../core/ports.ts';
import { createHandleCheck } from '../envoy/authorization.ts';
import { loadProtocol } from '../envoy/protocol.ts';
import { type CheckServer, openCheckServer } from '../envoy/server.ts';
import { createKeeper, createRecorder } from '../observe/audit/recorder.ts';
import { type OpsServer, openOpsServer } from '../observe/ops/server.ts';
import { adminDigests } from './admin-token.ts';
import { keepCertificateFresh, readTls } from './certificate.ts';
import { monitoringSources, unreadyOf } from './monitoring.ts';
import type { Parts } from './parts.ts';
import { storePage } from './store-health.ts';
import { createThrottle } from './throttle.ts';
import { watchWiring } from './wiring.ts';

const DEFAULT_API = '127.0.0.1:9192';
/** A port that is down fails every check; a metric counts them. */
const PORT_FAILURE_LOG_MS = 1000;

/** Opens the gRPC listener that Envoy asks. Its certificate, if it has one, follows its files. */
export async function openCheck(parts: Parts): Promise<CheckServer> {
  const { opened, log, metrics, ports, hostAddresses, traces } = parts;
  const protocol = loadProtocol();
  const throttle = createThrottle(PORT_FAILURE_LOG_MS);
  const handleCheck = createHandleCheck({
    ports,
    policy: opened.policy,
    now: Date.now,
    hostAddresses,
    record: recordWith(parts),
    keep: parts.audit.mode === 'blocking' ? createKeeper(parts) : undefined,
    watch: watchWiring(parts),
    trace: traces?.trace,
    onFailure: (cause, traceId) => {
      metrics.failure(cause instanceof PortFailure ? 'port' : 'bug');
      const tell = (untold?: number) =>
        log.error({ err: cause, untold, trace_id: traceId }, 'a check failed and was denied');
      if (cause instanceof PortFailure) throttle(cause.message, tell);
      else tell();
    },
  });
  const { address, tls } = opened.settings.listen.check;
  const first = tls && readTls(tls);
  const listen = { address: writeListen(address), tls: first };
  const isTraced = traces !== undefined;
  const server = await openCheckServer({ ...listen, protocol, handleCheck, isTraced });
  if (!tls || !first) return server;
  const endWatch = keepCertificateFresh({ files: tls, first, server, metrics, log });
  const close = (graceMs: number) => {
    endWatch();
    return server.close(graceMs);
  };
  return { ...server, close };
}

/**
 * Opens the management API. Where its address is nobody's choice but the default, and another process has it,
 * the gate opens all the same; the answer is then undefined.
 */
export async function openApi(parts: Parts): Promise<ApiServer | undefined> {
  const address = writeListen(parts.opened.settings.listen.api);
  try {
    return await openApiServer(address, createApi(apiParts(parts)));
  } catch (cause) {
    if (address !== DEFAULT_API) throw cause;
    parts.log.error({ err: cause }, `no management API: ${DEFAULT_API} is taken; set listen.api`);
    return undefined;
  }
}

/**
 * Opens /health, /livez, /readyz, /metrics and /monitoring. A store that does not answer makes a process unready only at
 * its start: later, one sick Redis would take every Postern out at once, and with them what they still can judge.
 */
export function openOps(parts: Parts, hasApi: boolean): Promise<OpsServer> {
  const { opened, metrics, store } = parts;
  const { kind } = opened.settings.store;
  return openOpsServer(writeListen(opened.settings.listen.ops), {
    product: () => opened.policy().product,
    unready: () => unreadyOf(parts),
    store: () => storePage(kind, store.health()),
    metrics: metrics.page,
    monitoring: monitoringSources(parts, hasApi),
  });
}

/** What the management API works with. */
export function apiParts(
  parts: Pick<Parts, 'opened' | 'env' | 'log' | 'store' | 'records' | 'ports' | 'tellChange'> & {
    readonly hostAddresses: ReadonlySet<string>;
  },
): ApiParts {
  const { opened, env, log, store, records, ports, tellChange, hostAddresses } = parts;
  return {
    store: records,
    ports,
    readLimits: store.readLimits,
    policy: opened.policy,
    now: Date.now,
    randomBytes,
    adminDigests: () => adminDigests(store, env['POSTERN_ADMIN_TOKEN']),
    onEvent: tellChange,
    onFailure: (cause) => log.error({ err: cause }, 'a management request failed'),
    hostAddresses,
  };
}

/** Metrics and audit of a check; why a credential was refused goes to the log of whoever debugs. */
function recordWith(parts: Parts): (record: Answered) => void {
  const recorder = createRecorder(parts);
  return (record) => {
    recorder(record);
    parts.alerts.watch(record);
    const { decision, request, traceId } = record;
    if (decision.kind !== 'deny' || decision.detail === undefined) return;
    const { reason, detail } = decision;
    const ids = { request_id: request.id, trace_id: traceId };
    parts.log.debug({ reason, detail, ...ids }, 'refused');
  };
}
