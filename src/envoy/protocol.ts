import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const { Root } = protobuf;

/** The messages of ext_authz and health, ready to decode and encode; field names as in `proto/`. */
export type Protocol = {
  readonly checkRequest: protobuf.Type;
  readonly checkResponse: protobuf.Type;
  readonly healthCheckRequest: protobuf.Type;
  readonly healthCheckResponse: protobuf.Type;
};

const FILES = ['envoy/service/auth/v3/external_auth.proto', 'grpc/health/v1/health.proto'] as const;

/** Loads the protocol from `proto/`, which stands beside `src/` and `dist/`. */
export function loadProtocol(): Protocol {
  const root = new Root();
  const folder = new URL('../../proto/', import.meta.url);
  root.resolvePath = (_origin, target) => fileURLToPath(new URL(target, folder));
  root.loadSync([...FILES], { keepCase: true });
  return {
    checkRequest: root.lookupType('envoy.service.auth.v3.CheckRequest'),
    checkResponse: root.lookupType('envoy.service.auth.v3.CheckResponse'),
    healthCheckRequest: root.lookupType('grpc.health.v1.HealthCheckRequest'),
    healthCheckResponse: root.lookupType('grpc.health.v1.HealthCheckResponse'),
  };
}

/** A decoded CheckRequest, the fields that Postern reads (attribute_context.proto). */
export type CheckMessage = {
  readonly attributes?: {
    readonly source?: PeerMessage | null;
    readonly destination?: PeerMessage | null;
    readonly request?: { readonly http?: HttpMessage | null } | null;
    readonly context_extensions?: CheckContext;
  } | null;
};

export type CheckContext = { readonly [key: string]: string };

export type PeerMessage = {
  readonly address?: { readonly socket_address?: { readonly address: string } | null } | null;
};

export type HttpMessage = {
  readonly method: string;
  readonly headers: { readonly [name: string]: string };
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly header_map?: {
    readonly headers: readonly {
      readonly key: string;
      readonly value: string;
      readonly raw_value: Uint8Array;
    }[];
  } | null;
};
