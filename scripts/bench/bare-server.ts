// The yardstick: a grpc-js server as its guide shows it, which allows everything.
import { join } from 'node:path';
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const folder = join(import.meta.dirname, '..', '..', 'proto');
const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [folder],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const at = (object: GrpcObject, name: string) => object[name] as GrpcObject;
const root = loadPackageDefinition(definition);
const v3 = at(at(at(at(root, 'envoy'), 'service'), 'auth'), 'v3');
const { service } = v3['Authorization'] as ServiceClientConstructor;
const server = new Server();
server.addService(service, {
  Check: (_call: unknown, answer: sendUnaryData<object>) =>
    answer(null, { status: { code: 0 }, ok_response: {} }),
});
server.bindAsync(process.argv[2] ?? '', ServerCredentials.createInsecure(), (cause) => {
  if (cause) throw cause;
  process.send?.('ready');
});
