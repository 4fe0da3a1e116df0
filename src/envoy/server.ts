import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import {
  type Deadline,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import { CHECK_SERVICE, type HandleCheck } from './authorization.ts';
import { createNameCheck } from './client-names.ts';
import { createHealth } from './health.ts';
import type { Protocol } from './protocol.ts';
import { createTlsCredentials, type ServerTls } from './tls.ts';

export type CheckServer = {
  /** `127.0.0.1:41234` or `unix:/path`. */
  readonly address: string;
  /** Answers NOT_SERVING from now on, while calls go on being answered. */
  readonly stopServing: () => void;
  /** Gives new connections other certificates; see `RenewableCredentials`. Nothing to do without TLS. */
  readonly renew: (tls: ServerTls) => void;
  /** Takes no new call, waits for those in flight, ends what is left after `graceMs`. */
  readonly close: (graceMs: number) => Promise<void>;
};

/** Inner budget of a check: it must answer before Envoy gives up (its default is 200 ms). */
const BUDGET_MS_MAX = 150;
const BUDGET_MARGIN_MS = 20;
const RECEIVE_BYTES_MAX = 8 * 1024 * 1024;
/** Envoy's own span, where Envoy traces (W3C Trace Context). */
const TRACEPARENT = 'traceparent';

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': RECEIVE_BYTES_MAX,
  'grpc.max_concurrent_streams': 1024,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
};

/** Starts the gRPC server for Check and health; rejects when the address cannot be bound. */
export async function openCheckServer(options: {
  readonly address: string;
  readonly tls?: ServerTls | undefined;
  readonly protocol: Protocol;
  readonly handleCheck: HandleCheck;
  /** Whether checks are traced: they then hear of the `traceparent` of their call. */
  readonly isTraced?: boolean;
}): Promise<CheckServer> {
  const { address, tls, protocol, handleCheck, isTraced = false } = options;
  const server = new Server(CHANNEL_OPTIONS);
  const health = createHealth();
  const check = checkMethod(handleCheck, tls?.clientNames, isTraced);
  server.addService(checkService(), { Check: check });
  server.addService(healthService(protocol), { Check: health.check, Watch: health.watch });
  await removeStaleSocket(address);
  const secure = tls && createTlsCredentials(tls);
  const port = await bind(
    server,
    address,
    secure?.credentials ?? ServerCredentials.createInsecure(),
  );
  return {
    address: address.startsWith('unix:') ? address : address.replace(/:\d+$/, `:${port}`),
    stopServing: () => health.set('NOT_SERVING'),
    renew: (next) => secure?.renew(next),
    close: (graceMs) => {
      health.end();
      return drain(server, graceMs);
    },
  };
}

/** The Check method takes and gives bytes: decoding belongs to the one place that catches. */
function checkService(): ServiceDefinition {
  const asIs = (bytes: Buffer) => bytes;
  return {
    Check: {
      path: `/${CHECK_SERVICE}/Check`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  };
}

function healthService(protocol: Protocol): ServiceDefinition {
  const method = (name: string, responseStream: boolean): MethodDefinition<object, object> =>
    ({
      path: `/grpc.health.v1.Health/${name}`,
      requestStream: false,
      responseStream,
      ...codec('request', protocol.healthCheckRequest),
      ...codec('response', protocol.healthCheckResponse),
    }) as MethodDefinition<object, object>;
  return { Check: method('Check', false), Watch: method('Watch', true) };
}

function codec(side: 'request' | 'response', type: protobuf.Type) {
  return {
    [`${side}Serialize`]: (message: object) => Buffer.from(type.encode(message).finish()),
    [`${side}Deserialize`]: (bytes: Buffer) => type.decode(bytes),
  };
}

function checkMethod(
  handleCheck: HandleCheck,
  clientNames: readonly string[] | undefined,
  isTraced: boolean,
) {
  const mayAsk = clientNames && createNameCheck(clientNames);
  return (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    if (mayAsk && !mayAsk(call)) {
      answer({ code: status.PERMISSION_DENIED, details: 'client certificate not accepted' });
      return;
    }
    const timeoutMs = timeLeftMs(call.getDeadline());
    const carried = isTraced ? call.metadata.get(TRACEPARENT).map(String) : undefined;
    handleCheck(call.request, budgetMs(timeoutMs), timeoutMs, carried).then(
      (bytes) => answer(null, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      (cause) => answer({ code: status.INTERNAL, details: String(cause) }),
    );
  };
}

/** The time until Envoy gives up (`grpc-timeout`); infinite when it does not. */
function timeLeftMs(deadline: Deadline): number {
  const untilMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return untilMs - Date.now();
}

/** The time there is: what Envoy gives, less a margin, at most 150 ms. */
function budgetMs(timeoutMs: number): number {
  return Math.min(BUDGET_MS_MAX, Math.max(1, timeoutMs - BUDGET_MARGIN_MS));
}

/** A socket file of a process that was killed would make the bind fail; one of a living process is left to it. */
async function removeStaleSocket(address: string): Promise<void> {
  const path = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined;
  if (path === undefined || !existsSync(path) || !lstatSync(path).isSocket()) return;
  if (await isServed(path)) throw new Error(`cannot listen on ${address}: a process serves it`);
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, port) => {
      if (cause) reject(new Error(`cannot listen on ${address}: ${cause.message}`, { cause }));
      else resolve(port);
    });
  });
}

function drain(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
