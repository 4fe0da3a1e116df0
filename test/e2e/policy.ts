import { createHash, randomBytes } from 'node:crypto';
import { mintKey } from '../../src/core/api-key.ts';

/** An API key for one run: the raw text, and what a policy declares of it. */
export type MintedKey = { readonly raw: string; readonly hash: string };

/** Mints a key under a prefix. */
export function mint(prefix = 'pst_'): MintedKey {
  const raw = mintKey(prefix, randomBytes(64));
  return { raw, hash: hashOf(raw) };
}

/** `sha256:<hex>`, made without the code under test. */
export function hashOf(raw: string): string {
  return `sha256:${createHash('sha256').update(raw).digest('hex')}`;
}

/** A policy file; JSON is YAML. */
export function policyText(policy: object): string {
  return JSON.stringify(policy, null, 2);
}

/** The value of one sample of a metrics page; 0 when there is none. */
export function sample(page: string, name: string): number {
  const line = page.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
