import { hash, randomBytes } from 'node:crypto';
import { mintKey } from '../core/api-key.ts';
import { ADMIN_PREFIX } from '../core/audit.ts';
import type { RecordStore } from '../core/record-store.ts';

const SETTING = 'admin_token';
const RANDOM_BYTES = 128;
const CHARS_MIN = 32;

/** SHA-256 (hex) of the admin tokens in force: that of the environment and that of `postern init`. */
export async function adminDigests(
  store: RecordStore,
  token: string | undefined,
): Promise<readonly string[]> {
  const kept = await store.getSetting(SETTING);
  const given = token === undefined || token === '' ? undefined : digestOf(token);
  return [given, kept].filter((digest) => digest !== undefined);
}

/** What is wrong with an admin token from the environment, or doubtful; it is never quoted. */
export function judgeAdminToken(
  token: string | undefined,
): { readonly problem: string } | { readonly warning: string } | undefined {
  if (token === undefined || token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return { problem: 'POSTERN_ADMIN_TOKEN: use visible ASCII characters only, without spaces' };
  }
  if (token.length >= CHARS_MIN) return undefined;
  const advice = `use at least ${CHARS_MIN} random characters, or run postern init`;
  return { warning: `POSTERN_ADMIN_TOKEN is short enough to be guessed: ${advice}` };
}

/** Makes an admin token and keeps its digest; undefined when there is one and it is not to be replaced. */
export async function mintAdminToken(
  store: RecordStore,
  isReplacing: boolean,
): Promise<string | undefined> {
  const kept = await store.getSetting(SETTING);
  if (kept !== undefined && !isReplacing) return undefined;
  const token = mintKey(ADMIN_PREFIX, randomBytes(RANDOM_BYTES));
  await store.putSetting(SETTING, digestOf(token));
  return token;
}

function digestOf(token: string): string {
  return hash('sha256', token, 'hex');
}
