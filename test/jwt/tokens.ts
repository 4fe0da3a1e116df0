import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JWK,
} from 'jose';
import { vi } from 'vitest';
import type { Issuer, TokenAnswer } from '../../src/core/token.ts';

/** The instant at which the tests judge, and the claims of a token that holds then. */
export const NOW_MS = 1_800_000_000_000;
export const NOW = NOW_MS / 1000;
export const GOOD = { sub: 'ada', exp: NOW + 600 };

export const SECRET = new TextEncoder().encode('a shared secret of at least 32 bytes');

/** An entry for HS256 by shared secret, with what a test changes. */
export function issuerWith(change: Partial<Issuer> = {}): Issuer {
  return {
    name: 'one',
    keys: { kind: 'secret', secrets: [SECRET] },
    algorithms: new Set(['HS256']),
    requireExp: true,
    clockToleranceSeconds: 5,
    readFrom: [{ kind: 'bearer' }],
    claims: { username: { path: ['sub'] }, scopes: { path: ['scope'] }, client: [] },
    headers: [],
    ...change,
  };
}

/** An entry for public keys at locations, in order. */
export function issuerAt(locations: readonly string[], change: Partial<Issuer> = {}): Issuer {
  return issuerWith({
    keys: { kind: 'jwks', locations },
    algorithms: new Set(['RS256', 'ES256', 'EdDSA']),
    ...change,
  });
}

export type TestKey = { readonly jwk: JWK; readonly pair: GenerateKeyPairResult };

/** A fresh key pair; its JWK is public and has no `alg` and `use`. */
export async function makeKey(alg: string, kid?: string): Promise<TestKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(pair.publicKey);
  return { pair, jwk: kid === undefined ? jwk : { ...jwk, kid } };
}

export function sign(
  payload: unknown,
  key: CryptoKey | Uint8Array = SECRET,
  header: Record<string, unknown> = {},
): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(key);
}

/** Signs by a test key under its `kid`. */
export function signBy(key: TestKey, alg: string, payload: unknown = GOOD): Promise<string> {
  return sign(payload, key.pair.privateKey, { alg, ...(key.jwk.kid && { kid: key.jwk.kid }) });
}

/** `token`, or the reason of a refusal. */
export function outcome(answer: TokenAnswer): string {
  return answer.kind === 'token' ? 'token' : answer.reason;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export type KeyServer = AsyncDisposable & {
  readonly origin: string;
  /** Paths asked for. */
  readonly asked: string[];
  answer: Answer;
};

/** A real HTTP server on a free loopback port, or on a given one. */
export async function openKeyServer(answer: Answer, port = 0): Promise<KeyServer> {
  const asked: string[] = [];
  const http = createServer((request, response) => {
    asked.push(request.url ?? '');
    server.answer(request, response);
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const server: KeyServer = {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    answer,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return server;
}

/** Answers a set of these keys. */
export function servesKeys(...keys: readonly (TestKey | JWK)[]): Answer {
  const jwks = { keys: keys.map((key) => ('pair' in key ? key.jwk : key)) };
  return servesText(JSON.stringify(jwks));
}

export function servesText(text: string, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(text);
  };
}

export function servesStatus(status: number, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, headers).end('{"keys":[]}');
  };
}

/** Waits until something holds, at most five seconds. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 5_000, interval: 5 });
}
