import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reporter of leaks: its key pair, and what it publishes of it. */
export type Reporter = {
  readonly identifier: string;
  readonly pem: string;
  /** The base64 DER signature of a body. */
  readonly signs: (body: string) => string;
};

/** Makes a reporter with a key on a curve; P-256 is the one that counts. */
export function makeReporter(identifier: string, namedCurve = 'prime256v1'): Reporter {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  return {
    identifier,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    signs: (body) => sign('sha256', Buffer.from(body), privateKey).toString('base64'),
  };
}

/** The document in which reporters publish their keys. */
export function keysDocument(...reporters: readonly Reporter[]): string {
  const public_keys = reporters.map(({ identifier, pem }) => ({
    key_identifier: identifier,
    key: pem,
    is_current: true,
  }));
  return JSON.stringify({ public_keys });
}

/** Serves on a free port of this machine; counts what was asked. */
export async function openDocumentServer(answer: RequestListener) {
  const asked = { count: 0 };
  const server = createServer((request, response) => {
    asked.count += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/keys`,
    asked,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
