import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { type OutputLine, runPostern } from '../../scripts/lib/run-postern.ts';
import { type CheckClient, openCheckClient } from '../e2e/check-client.ts';
import { makeKey, type TestKey } from '../jwt/tokens.ts';
import { type Call, type Gate, startGate } from './gate.ts';
import { type JwksServer, signToken, startJwks, type TokenClaims } from './jwks.ts';

/** The raw keys behind the hashes that the policy declares; made for tests, they open nothing else. */
export const LIVE = 'pr_live_K95EhDN0wMXmtvfR1DCtdB8GdjrdNuNO3QdFoS';
export const LIVE_ID = '37dGasO5GjNjQzBVsDgOLLHY0fC';
export const TEST = 'pr_test_RxbguTRGX1EciFuTjXUPUT7sgVblNpni4Zrikx';
export const TEST_ID = '37dGaqkzIWkFhBcpwqiXF1tFTvY';
export const ISSUER = 'https://api.promptreports.ai';
export const CLIENT_ID = 'promptreports-client';
export const SCOPES = [
  'prompts:read',
  'prompts:write',
  'reports:read',
  'reports:write',
  'evaluations:read',
  'evaluations:write',
  'webhooks:read',
  'webhooks:write',
  'organization:read',
  'organization:admin',
] as const;

/** The key of the set. */
export const signer = await makeKey('RS256', 'pr-1');

/** The policy behind an Envoy, with its key set. */
export type Promptreports = Gate & {
  readonly jwks: JwksServer;
  /** A call as the load balancer passes it on that took it by https. */
  readonly secure: (target: string, call?: Call) => ReturnType<Gate['call']>;
};

export async function startPromptreports(): Promise<Promptreports> {
  const jwks = await startJwks({ keys: [signer] });
  const gate = await startGate('promptreports', {
    PROMPTREPORTS_CLIENT_ID: CLIENT_ID,
    PROMPTREPORTS_JWKS: jwks.url,
  });
  return {
    ...gate,
    jwks,
    secure: (target, call = {}) => gate.call(target, { proto: 'https', ...call }),
    stop: async () => {
      await gate.stop();
      await jwks.stop();
    },
  };
}

/** The program with the policy and without an Envoy: what it writes is seen whole, events included. */
export type Alone = AsyncDisposable & {
  readonly client: CheckClient;
  readonly lines: () => readonly OutputLine[];
};

export async function startAlone(): Promise<Alone> {
  const jwks = await startJwks({ keys: [signer] });
  const folder = mkdtempSync(join(tmpdir(), 'postern-alone-'));
  const path = join(import.meta.dirname, '..', '..', 'deploy', 'policies', 'promptreports.yaml');
  const policy = parseDocument(readFileSync(path, 'utf8'));
  const free = '127.0.0.1:0';
  policy.set('listen', { check: free, api: free, ops: free });
  policy.set('client_ip', 'peer');
  const configPath = join(folder, 'policy.yaml');
  writeFileSync(configPath, policy.toString());
  const env = { PROMPTREPORTS_CLIENT_ID: CLIENT_ID, PROMPTREPORTS_JWKS: jwks.url };
  const postern = await runPostern({ configPath, env });
  const client = openCheckClient(postern.addresses['check'] ?? '');
  return {
    client,
    lines: postern.lines,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await postern.stop();
      await jwks.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An access token for all scopes of an organization, with other claims, by another key or algorithm. */
export function access(
  org: string,
  claims: TokenClaims = {},
  { by = signer, alg = 'RS256', kid = by.jwk.kid }: Signing = {},
): Promise<string> {
  const whole = {
    iss: ISSUER,
    aud: CLIENT_ID,
    sub: 'ada',
    org_id: org,
    scope: SCOPES.join(' '),
    ...claims,
  };
  return signToken({ claims: whole, alg, key: by.pair.privateKey, kid });
}

type Signing = {
  readonly by?: TestKey;
  readonly alg?: string;
  readonly kid?: string | undefined;
};
