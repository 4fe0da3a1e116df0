import { type ChannelCredentials, Client, credentials, Metadata } from '@grpc/grpc-js';
import { loadProtocol } from '../../src/envoy/protocol.ts';

/** What came back for some bytes, in plain values. */
export type RawAnswer = {
  readonly code: number;
  /** HTTP status of the refusal; undefined when there is none in the answer. */
  readonly status: number | undefined;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /** What is set on the request that goes on. */
  readonly set: { readonly [name: string]: string };
  readonly removed: readonly string[];
  readonly metadata: { readonly [name: string]: string };
  readonly bytes: Buffer;
};

/** A gRPC client that says exactly the bytes it is given. */
export type RawClient = {
  /** Rejects when the call itself fails. */
  readonly check: (bytes: Uint8Array) => Promise<RawAnswer>;
  /** The serving status: 1 SERVING, 2 NOT_SERVING (grpc.health.v1). */
  readonly health: () => Promise<number>;
  readonly close: () => void;
};

type Header = { readonly header: { readonly key: string; readonly value: string } };

type Answer = {
  readonly status?: { readonly code: number } | null;
  readonly denied_response?: {
    readonly status?: { readonly code: number } | null;
    readonly headers: readonly Header[];
    readonly body: string;
  } | null;
  readonly ok_response?: {
    readonly headers: readonly Header[];
    readonly headers_to_remove: readonly string[];
  } | null;
  readonly dynamic_metadata?: {
    readonly fields: { readonly [name: string]: { readonly stringValue?: string } };
  } | null;
};

export const PROTOCOL = loadProtocol();
const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const HEALTH = '/grpc.health.v1.Health/Check';
const TIMEOUT_MS = 10_000;
const asIs = (bytes: Buffer) => bytes;

/** Opens a client of `host:port` or `unix:/path`; in plain text unless credentials are given. */
export function openRawClient(
  address: string,
  security: ChannelCredentials = credentials.createInsecure(),
  options: object = {},
): RawClient {
  const client = new Client(address, security, options);
  const call = (path: string, bytes: Uint8Array) =>
    new Promise<Buffer>((resolve, reject) => {
      const deadline = Date.now() + TIMEOUT_MS;
      const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      client.makeUnaryRequest(
        path,
        asIs,
        asIs,
        message,
        new Metadata(),
        { deadline },
        (cause, answer) => {
          if (cause) reject(cause);
          else resolve(answer ?? Buffer.alloc(0));
        },
      );
    });
  return {
    check: async (bytes) => readAnswer(await call(CHECK, bytes)),
    health: async () => {
      const answer = PROTOCOL.healthCheckResponse.decode(await call(HEALTH, new Uint8Array()));
      return (answer as unknown as { readonly status: number }).status;
    },
    close: () => client.close(),
  };
}

/** Encodes a CheckRequest given in the field names of `proto/`. */
export function encodeCheck(message: object): Uint8Array {
  return PROTOCOL.checkRequest.encode(PROTOCOL.checkRequest.fromObject(message)).finish();
}

/** Decodes an answer as Envoy reads it: a code of 0, or none, is an allow. */
export function readAnswer(bytes: Uint8Array): RawAnswer {
  const answer = PROTOCOL.checkResponse.decode(bytes) as unknown as Answer;
  const { denied_response: denied, ok_response: ok } = answer;
  const byName = (all: readonly Header[] = []) =>
    Object.fromEntries(all.map(({ header }) => [header.key, header.value]));
  const facts = Object.entries(answer.dynamic_metadata?.fields ?? {});
  return {
    code: answer.status?.code ?? 0,
    status: denied?.status?.code,
    headers: byName(denied?.headers),
    body: denied?.body ?? '',
    set: byName(ok?.headers),
    removed: ok?.headers_to_remove ?? [],
    metadata: Object.fromEntries(facts.map(([name, one]) => [name, one.stringValue ?? ''])),
    bytes: Buffer.from(bytes),
  };
}
