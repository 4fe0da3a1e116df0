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
