import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

/** A span as a collector gets it; ids in hexadecimal digits, an empty parent for the first of a trace. */
export type CollectedSpan = {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: { readonly [name: string]: string };
  /** 2 is an error. */
  readonly status: number;
};

/** A collector of traces, by OTLP over HTTP with protocol buffers. */
export type Collector = {
  readonly url: string;
  readonly port: number;
  readonly spans: () => readonly CollectedSpan[];
  /** Every byte that a service sent, as Latin-1. */
  readonly bytesOf: (service: string) => string;
  readonly stop: () => Promise<void>;
};

/** The fields of opentelemetry/proto/trace/v1/trace.proto that are read here. */
const PROTO = `
syntax = "proto3";
message Export { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  repeated KeyValue attributes = 9;
  Status status = 15;
}
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { string string_value = 1; }
`;
const EXPORT = protobuf.parse(PROTO, { keepCase: true }).root.lookupType('Export');

type Pair = { readonly key: string; readonly value?: { readonly string_value?: string } };
type Export = {
  readonly resource_spans: readonly {
    readonly resource?: { readonly attributes: readonly Pair[] };
    readonly scope_spans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
};
type WireSpan = {
  readonly trace_id: Uint8Array;
  readonly span_id: Uint8Array;
  readonly parent_span_id: Uint8Array;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly Pair[];
  readonly status?: { readonly code: number } | null;
};

/** Starts a collector on a free port; one that is `deaf` takes what it is sent and never answers. */
export async function startCollector({ deaf = false } = {}): Promise<Collector> {
  const bodies: Buffer[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      if (!deaf) response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const of = (body: Buffer) => readExport(body);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    spans: () => bodies.flatMap(of),
    bytesOf: (service) =>
      bodies
        .filter((body) => of(body).some((span) => span.service === service))
        .map((body) => body.toString('latin1'))
        .join('\n'),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readExport(body: Buffer): readonly CollectedSpan[] {
  const { resource_spans } = EXPORT.decode(body) as unknown as Export;
  return resource_spans.flatMap(({ resource, scope_spans }) => {
    const service = textsOf(resource?.attributes ?? [])['service.name'] ?? '';
    return scope_spans.flatMap(({ spans }) => spans.map((span) => readSpan(service, span)));
  });
}

function readSpan(service: string, span: WireSpan): CollectedSpan {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  return {
    service,
    name: span.name,
    kind: span.kind,
    traceId: hex(span.trace_id),
    spanId: hex(span.span_id),
    parentSpanId: hex(span.parent_span_id),
    attributes: textsOf(span.attributes),
    status: span.status?.code ?? 0,
  };
}

function textsOf(pairs: readonly Pair[]): { readonly [name: string]: string } {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value?.string_value ?? '']));
}
