import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createApi } from '../api/api.ts';
import type { ApiParts } from '../api/parts.ts';
import { type ApiServer, openApiServer } from '../api/server.ts';
import { writeListen } from '../config/location.ts';
import type { TlsFiles } from '../config/settings.ts';
import { PortFailure } from '../core/ports.ts';
import { type CheckRecord, createHandleCheck } from '../envoy/authorization.ts';
import { loadProtocol } from '../envoy/protocol.ts';
import { type CheckServer, openCheckServer, type ServerTls } from '../envoy/server.ts';
import { type OpsServer, openOpsServer } from '../observe/ops-server.ts';
import { createRecorder } from '../observe/recorder.ts';
import { adminDigests } from './admin-token.ts';
import type { Parts } from './parts.ts';

const DEFAULT_API = '127.0.0.1:9192';

/** Opens the gRPC listener that Envoy asks. */
export function openCheck(parts: Parts): Promise<CheckServer> {
  const { opened, log, metrics, ports, hostAddresses } = parts;
  const protocol = loadProtocol();
  const handleCheck = createHandleCheck({
    ports,
    policy: opened.policy,
    now: Date.now,
    hostAddresses,
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

/** Opens /health, /livez, /readyz and /metrics. */
export function openOps({ opened, metrics, state }: Parts): Promise<OpsServer> {
  return openOpsServer(writeListen(opened.settings.listen.ops), {
    product: () => opened.policy().product,
    unready: () => (state.isDraining ? ['draining'] : []),
    metrics: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
  });
}

/** What the management API works with. */
export function apiParts(
  parts: Pick<Parts, 'opened' | 'env' | 'log' | 'store' | 'records' | 'ports' | 'tell'> & {
    readonly hostAddresses: ReadonlySet<string>;
  },
): ApiParts {
  const { opened, env, log, store, records, ports, tell, hostAddresses } = parts;
  return {
    store: records,
    ports,
    readLimits: store.readLimits,
    policy: opened.policy,
    now: Date.now,
    randomBytes,
    adminDigests: () => adminDigests(store, env['POSTERN_ADMIN_TOKEN']),
    onEvent: tell,
    onFailure: (cause) => log.error({ err: cause }, 'a management request failed'),
    hostAddresses,
  };
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

function readTls({ cert, key, clientCa, clientNames }: TlsFiles): ServerTls {
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    clientCa: clientCa === undefined ? undefined : readFileSync(clientCa),
    clientNames,
  };
}
