import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { mintKey } from '../../../../src/core/api-key.ts';

/** An API key: the raw text, and what a policy declares of it. */
export type StageKey = { readonly raw: string; readonly hash: string };

/** An issuer with one key, its key set served on the loopback address. */
export type StageIssuer = {
  readonly url: string;
  readonly jwks: string;
  /** Signs a token for an hour, or one that ended an hour ago. */
  readonly sign: (claims: { readonly [name: string]: string }, isOver?: boolean) => Promise<string>;
  readonly stop: () => Promise<void>;
};

const HOUR_SECONDS = 3600;
const KEY_BYTES = 64;

/** Mints a key. */
export function mintStageKey(): StageKey {
  const raw = mintKey('pst_', randomBytes(KEY_BYTES));
  return { raw, hash: `sha256:${createHash('sha256').update(raw).digest('hex')}` };
}

/** Starts an issuer. */
export async function startIssuer(): Promise<StageIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    jwks: `${url}/keys`,
    sign: (claims, isOver = false) => {
      const nowSeconds = Math.floor(Date.now() / 1000) - (isOver ? 2 * HOUR_SECONDS : 0);
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer(url)
        .setAudience('api')
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + HOUR_SECONDS)
        .sign(privateKey);
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
