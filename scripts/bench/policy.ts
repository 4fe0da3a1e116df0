import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { freePort } from '../lib/free-port.ts';

export type BenchPolicy = {
  readonly path: string;
  readonly checkAddress: string;
  readonly apiAddress: string;
};

/** Limits without a burst, which may be leased where `mode` says so; else they have one, and each check asks the store. */
export type BenchLimits = { readonly burst: boolean; readonly mode?: 'exact' | 'leased' };

/** Writes a policy with a store into a folder: address and referer rules, scopes and limits on the measured path. */
export async function writePolicy(
  folder: string,
  name: string,
  store: string,
  { burst, mode = 'exact' }: BenchLimits = { burst: true },
): Promise<BenchPolicy> {
  const [checkAddress, apiAddress, ops] = [
    `127.0.0.1:${await freePort()}`,
    `127.0.0.1:${await freePort()}`,
    `127.0.0.1:${await freePort()}`,
  ];
  const path = join(folder, `${name}.yaml`);
  writeFileSync(
    path,
    `
product: bench
listen: { check: "${checkAddress}", api: "${apiAddress}", ops: "${ops}" }
store: "${store}"
limits: { mode: ${mode} }
client_ip: { trusted_hops: 1 }
default_plan: pro
api_keys: { prefixes: { pst_: { environment: live } } }
issuers:
  - { issuer: "https://id.example.com", audience: "https://api.example.com", jwks: "file://${join(folder, 'jwks.json')}", claims: { workspace: org_id } }
scopes: { "reports:read": read, "prompts:read": read }
plans: { pro: { per_minute: 100000000, per_day: 1000000000${burst ? ', burst: 1000000' : ''} } }
routes:
  - { name: reports, path: /v1/reports/**, access: [api_key, jwt], scopes: { GET: ["reports:read"], "*": ["prompts:read"] }, ips: [203.0.113.0/24], referers: [app.example.com] }
`,
  );
  return { path, checkAddress, apiAddress };
}

/** Makes the signer that these policies trust; each number gives another token. */
export function openSigner(folder: string): (at: number) => Promise<string> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = {
    ...pair.publicKey.export({ format: 'jwk' }),
    ...{ kid: 'bench', alg: 'ES256', use: 'sig' },
  };
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  const key = createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return (at) =>
    new SignJWT({ scope: 'reports:read', org_id: `workspace-${at % 1000}`, jti: String(at) })
      .setProtectedHeader({ alg: 'ES256', kid: 'bench', typ: 'at+jwt' })
      .setIssuer('https://id.example.com')
      .setAudience('https://api.example.com')
      .setSubject('user')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key);
}
