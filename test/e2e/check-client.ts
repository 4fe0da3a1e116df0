import { join } from 'node:path';
import {
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

type HeaderLine = readonly [name: string, value: string];

/** A question as Envoy would ask it. */
export type CheckQuestion = {
  /** `GET` when absent. */
  readonly method?: string;
  /** Path and query, as sent. */
  readonly path: string;
  /** One entry per line; the pseudo headers are added. */
  readonly headers?: readonly HeaderLine[];
  readonly host?: string;
  readonly scheme?: string;
  /** Address of the connection's peer; 127.0.0.1 when absent. */
  readonly source?: string;
  readonly context?: { readonly [key: string]: string };
  /** `raw` as with `encode_raw_headers: true`, which is the default; `joined` as without. */
  readonly encoding?: 'raw' | 'joined';
  /** Envoy's deadline; 250 ms as in `envoy.yaml` is too short for a busy test machine, so 5 s when absent. */
  readonly timeoutMs?: number;
};

/** An answer in plain values. */
export type CheckSummary = {
  readonly allowed: boolean;
  /** HTTP status of a refusal; 200 when allowed. */
  readonly status: number;
  /** The reason that the metadata names; undefined when allowed. */
  readonly reason: string | undefined;
  /** Set on the request that goes on, by lower-case name. */
  readonly headers: { readonly [name: string]: string };
  readonly removed: readonly string[];
  /** What the client gets, refused or not, by lower-case name. */
  readonly responseHeaders: { readonly [name: string]: string };
  readonly body: string;
  readonly metadata: { readonly [name: string]: string };
};

export type CheckClient = {
  /** Rejects when the call itself fails. */
  readonly check: (question: CheckQuestion) => Promise<CheckSummary>;
  readonly close: () => void;
};

type HeaderOption = { readonly header: { readonly key: string; readonly value: string } | null };

type CheckResponse = {
  readonly status: { readonly code: number } | null;
  readonly denied_response?: {
    readonly status: { readonly code: number } | null;
    readonly headers: readonly HeaderOption[];
    readonly body: string;
  } | null;
  readonly ok_response?: {
    readonly headers: readonly HeaderOption[];
    readonly headers_to_remove: readonly string[];
    readonly response_headers_to_add: readonly HeaderOption[];
  } | null;
  readonly dynamic_metadata: {
    readonly fields: { readonly [name: string]: { readonly stringValue?: string } };
  } | null;
};

type Stub = {
  readonly Check: (
    message: object,
    options: { readonly deadline: number },
    answer: (cause: ServiceError | null, response: CheckResponse) => void,
  ) => ClientUnaryCall;
  readonly close: () => void;
};

const PROTO = join(import.meta.dirname, '..', '..', 'proto');

/** Opens a client of a Postern, `host:port` or `unix:/path`, that speaks as Envoy does. */
export function openCheckClient(address: string): CheckClient {
  const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [PROTO],
    keepCase: true,
    enums: Number,
    defaults: true,
    oneofs: true,
  });
  const path = ['envoy', 'service', 'auth', 'v3', 'Authorization'];
  const tree: unknown = loadPackageDefinition(definition);
  const Authorization = path.reduce<unknown>((at, name) => Object(at)[name], tree) as new (
    address: string,
    security: object,
  ) => Stub;
  const stub = new Authorization(address, credentials.createInsecure());
  return { check: (question) => ask(stub, question), close: () => stub.close() };
}

function ask(stub: Stub, question: CheckQuestion): Promise<CheckSummary> {
  const deadline = Date.now() + (question.timeoutMs ?? 5000);
  return new Promise((resolve, reject) => {
    stub.Check(writeQuestion(question), { deadline }, (cause, response) => {
      if (cause) reject(cause);
      else resolve(readAnswer(response));
    });
  });
}

function writeQuestion(question: CheckQuestion): object {
  const { method = 'GET', path, host = 'api.example.com', scheme = 'http' } = question;
  const lines: readonly HeaderLine[] = [
    [':method', method],
    [':path', path],
    [':authority', host],
    [':scheme', scheme],
    ...(question.headers ?? []),
  ];
  const encoded =
    question.encoding === 'joined'
      ? { headers: joined(lines) }
      : { header_map: { headers: lines.map(rawLine) } };
  const peer = (address: string, port: number) => ({
    address: { socket_address: { address, port_value: port } },
  });
  return {
    attributes: {
      source: peer(question.source ?? '127.0.0.1', 40_000),
      destination: peer('127.0.0.1', 10_000),
      request: { http: { id: '1', method, path, host, scheme, protocol: 'HTTP/1.1', ...encoded } },
      context_extensions: question.context ?? {},
    },
  };
}

/** Bytes as Envoy would send them: characters stand for bytes of the same number. */
function rawLine([name, value]: HeaderLine) {
  return { key: name.toLowerCase(), raw_value: Buffer.from(value, 'latin1') };
}

/** Envoy joins lines of the same name with a comma. */
function joined(lines: readonly HeaderLine[]): { readonly [name: string]: string } {
  const headers = new Map<string, string>();
  for (const [key, value] of lines) {
    const name = key.toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(headers);
}

function readAnswer(response: CheckResponse): CheckSummary {
  const { ok_response: ok, denied_response: denied, dynamic_metadata } = response;
  const metadata = Object.fromEntries(
    Object.entries(dynamic_metadata?.fields ?? {}).map(([name, value]) => [
      name,
      value.stringValue ?? '',
    ]),
  );
  // Envoy's own rule: code 0, or no status, is an allow whatever else stands there.
  const allowed = (response.status?.code ?? 0) === 0;
  return {
    allowed,
    status: allowed ? 200 : (denied?.status?.code ?? 403),
    reason: metadata['reason'],
    headers: byName(ok?.headers),
    removed: ok?.headers_to_remove ?? [],
    responseHeaders: byName(allowed ? ok?.response_headers_to_add : denied?.headers),
    body: denied?.body ?? '',
    metadata,
  };
}

function byName(options: readonly HeaderOption[] = []): { readonly [name: string]: string } {
  return Object.fromEntries(
    options.map(({ header }) => [header?.key.toLowerCase() ?? '', header?.value ?? '']),
  );
}
