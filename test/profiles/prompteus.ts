import type { HeaderLine } from '../envoy-harness/send.ts';
import { makeKey } from '../jwt/tokens.ts';
import { type Call, type Gate, startGate } from './gate.ts';
import { type JwksServer, nowSeconds, signToken, startJwks } from './jwks.ts';

/** The raw key behind the hash that the policy declares; made for tests, it opens nothing else. */
export const KEY = 'ptk_yXBHMoc5L40zBANMAAcNPMMcv7FQw4U52jycq3';
export const KEY_ID = '37dGatYOxAR3UW7zBsYySGKNFYh';
export const SECRET = 'prompteus shared secret for tests only';
export const APP: HeaderLine = ['Referer', 'https://app.example.com/chat?x=1'];
export const LIMITS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-policy'];

/** What a client may claim to be; none of it may reach the upstream. */
export const SPOOFED: readonly HeaderLine[] = [
  ['X-Auth-Username', 'mallory'],
  ['x-auth-department', 'board'],
  ['x-auth-email', 'ceo@example.com'],
  ['x-auth-workspace', 'acme'],
  ['x-auth-scopes', '*'],
  ['x-auth-key-id', KEY_ID],
  ['x-auth-anything', 'else'],
];

/** The keys of the first set and of the second. */
export const first = await makeKey('RS256', 'first');
export const second = await makeKey('ES256', 'second');

/** The policy behind an Envoy, with both of its key sets. */
export type Prompteus = Gate & {
  readonly sets: readonly [JwksServer, JwksServer];
  /** A call of the front-end neuron. */
  readonly chat: (call: Call) => ReturnType<Gate['call']>;
};

export async function startPrompteus(): Promise<Prompteus> {
  const sets = [await startJwks({ keys: [first] }), await startJwks({ keys: [second] })] as const;
  const gate = await startGate('prompteus', {
    PROMPTEUS_JWT_SECRET: SECRET,
    PROMPTEUS_JWKS_1: sets[0].url,
    PROMPTEUS_JWKS_2: sets[1].url,
  });
  return {
    ...gate,
    sets,
    chat: (call) => gate.call('/neurons/acme/chat', { method: 'POST', ...call }),
    stop: async () => {
      await gate.stop();
      for (const set of sets) await set.stop();
    },
  };
}

/** What of a token by the shared secret differs from a sound one; times are seconds from now. */
export type SharedChange = {
  readonly exp?: number | undefined;
  readonly nbf?: number;
  readonly alg?: string;
  readonly secret?: string;
};

/** A token by the shared secret, for a user with this e-mail address. */
export function shared(
  email: string | undefined,
  user: object = {},
  change: SharedChange = {},
): Promise<string> {
  const now = nowSeconds();
  const { nbf, alg = 'HS256', secret = SECRET } = change;
  const exp = 'exp' in change ? change.exp : 600;
  return signToken({
    claims: {
      sub: 'u-1',
      user: { email, department: 'research', ...user },
      exp: exp === undefined ? undefined : now + exp,
      ...(nbf !== undefined && { nbf: now + nbf }),
    },
    alg,
    key: new TextEncoder().encode(secret),
  });
}
