import type { ServerUnaryCall } from '@grpc/grpc-js';

type Call = Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>;

/**
 * Makes the judge of who may ask: whose certificate holds one of these DNS or URI names. A connection has one
 * certificate for all its life, so it is read once for each.
 */
export function createNameCheck(names: readonly string[]): (call: Call) => boolean {
  const known = new WeakMap<object, boolean>();
  return (call) => {
    const connection = findConnection(call);
    const judged = connection && known.get(connection);
    if (judged !== undefined) return judged;
    const isAccepted = isNamed(call, names);
    if (connection) known.set(connection, isAccepted);
    return isAccepted;
  };
}

/**
 * The HTTP/2 session of a call. grpc-js keeps it to itself; where it does not stand as in 1.14, the answer is undefined,
 * and the certificate is read for each call.
 */
function findConnection(call: object): object | undefined {
  let at: unknown = call;
  for (const name of ['call', 'stream', 'session']) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Reflect.get(at, name);
  }
  return typeof at === 'object' && at !== null ? at : undefined;
}

function isNamed(call: Call, names: readonly string[]): boolean {
  const certificate = call.getAuthContext().sslPeerCertificate;
  return alternativeNames(certificate?.subjectaltname ?? '').some((name) => names.includes(name));
}

/** The DNS and URI names in Node's text of them: a name that holds a comma stands in quotes, as in JSON. */
function alternativeNames(text: string): readonly string[] {
  const entries = text.matchAll(/([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy);
  return [...entries].flatMap(([, kind, value = '']) => {
    if (kind !== 'DNS' && kind !== 'URI') return [];
    return [value.startsWith('"') ? String(JSON.parse(value)) : value];
  });
}
