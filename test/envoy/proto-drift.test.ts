import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const OURS = join(ROOT, 'proto');
const DEPS = join(ROOT, 'node_modules', '@grpc', 'grpc-js-xds', 'deps');
const THEIRS = [
  ...['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((folder) => join(DEPS, folder)),
  join(ROOT, 'node_modules', 'protobufjs'),
];

/** Ours and not theirs: Envoy 1.37 has it, the package's copy is older. */
const AHEAD = new Set(['.envoy.service.auth.v3.CheckResponse.error_response']);

/** The health protocol is not in the package; these are its documented numbers. */
const HEALTH = {
  '.grpc.health.v1.HealthCheckRequest.service': 'string = 1',
  '.grpc.health.v1.HealthCheckResponse.status':
    '.grpc.health.v1.HealthCheckResponse.ServingStatus = 1',
  '.grpc.health.v1.HealthCheckResponse.ServingStatus':
    'UNKNOWN=0 SERVING=1 NOT_SERVING=2 SERVICE_UNKNOWN=3',
  '.grpc.health.v1.Health.Check':
    '.grpc.health.v1.HealthCheckRequest -> .grpc.health.v1.HealthCheckResponse',
  '.grpc.health.v1.Health.Watch':
    '.grpc.health.v1.HealthCheckRequest -> stream .grpc.health.v1.HealthCheckResponse',
};

type Facts = Readonly<Record<string, string>>;

const ourFiles = globSync('**/*.proto', { cwd: OURS }).sort();
const envoyFiles = ourFiles.filter((file) => !file.startsWith('grpc/'));
const ours = readFacts(ourFiles, [OURS]);
const theirs = readFacts(envoyFiles, THEIRS);

describe('proto/', () => {
  test('is loaded from its own folder and from protobufjs alone', () => {
    expect(ourFiles).toContain('envoy/service/auth/v3/external_auth.proto');
    expect(Object.keys(ours).length).toBeGreaterThan(60);
  });

  const shared = Object.entries(ours).filter(([name]) => !name.startsWith('.grpc.'));

  test.each(shared)('%s is as upstream has it', (name, fact) => {
    if (AHEAD.has(name)) {
      expect(theirs, 'upstream has caught up: take it off the list').not.toHaveProperty([name]);
      return;
    }
    expect(fact).toBe(theirs[name]);
  });

  test('error_response is field 5 of the answer, with the type of a refusal', () => {
    const name = '.envoy.service.auth.v3.CheckResponse.error_response';
    expect(ours[name]).toBe('.envoy.service.auth.v3.DeniedHttpResponse = 5 in http_response');
  });

  test('the health protocol has its documented numbers', () => {
    const health = Object.entries(ours).filter(([name]) => name.startsWith('.grpc.'));
    expect(Object.fromEntries(health)).toEqual(HEALTH);
  });
});

/** Every field, enum and method under the given files' own packages, in words. */
function readFacts(files: readonly string[], folders: readonly string[]): Facts {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    const path = folders.map((folder) => join(folder, target)).find((name) => existsSync(name));
    if (path === undefined) throw new Error(`${target} is in none of the folders`);
    return path;
  };
  root.loadSync([...files], { keepCase: true });
  root.resolveAll();
  const facts: Record<string, string> = {};
  for (const nested of allOf(root)) {
    if (nested.fullName.startsWith('.google.protobuf.')) continue;
    if (nested instanceof protobuf.Type) addFields(facts, nested);
    if (nested instanceof protobuf.Enum) facts[nested.fullName] = valuesOf(nested);
    if (nested instanceof protobuf.Service) addMethods(facts, nested);
  }
  return facts;
}

function* allOf(space: protobuf.NamespaceBase): Generator<protobuf.ReflectionObject> {
  for (const nested of space.nestedArray) {
    yield nested;
    if (nested instanceof protobuf.Namespace) yield* allOf(nested);
  }
}

function addFields(facts: Record<string, string>, type: protobuf.Type): void {
  for (const field of type.fieldsArray) {
    const label = field.repeated ? 'repeated ' : '';
    const kind = field.resolvedType?.fullName ?? field.type;
    const shape = field instanceof protobuf.MapField ? `map<${field.keyType}, ${kind}>` : kind;
    const choice = field.partOf ? ` in ${field.partOf.name}` : '';
    facts[field.fullName] = `${label}${shape} = ${field.id}${choice}`;
  }
}

function addMethods(facts: Record<string, string>, service: protobuf.Service): void {
  for (const method of service.methodsArray) {
    const asks = `${method.requestStream ? 'stream ' : ''}${method.resolvedRequestType?.fullName}`;
    const answers = `${method.responseStream ? 'stream ' : ''}${method.resolvedResponseType?.fullName}`;
    facts[method.fullName] = `${asks} -> ${answers}`;
  }
}

function valuesOf(type: protobuf.Enum): string {
  return Object.entries(type.values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
