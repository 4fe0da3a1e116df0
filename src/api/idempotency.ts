import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import type { Actor } from '../core/actor.ts';
import type { KeptAnswer } from '../core/record-store.ts';
import { type Fault, fault } from './fault.ts';
import type { ApiParts } from './parts.ts';
import type { Answer, Idempotency, Outcome } from './row.ts';

/** A request that names itself by an Idempotency-Key. */
export type Repeatable = {
  readonly actor: Actor;
  /** The caller's own credential: only who holds it opens the answer again. */
  readonly secret: string;
  readonly method: string;
  readonly path: string;
  readonly key: string;
  readonly body: Uint8Array;
  readonly nowMs: number;
};

const KEPT_MS = 24 * 60 * 60 * 1000;
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = /^[\x21-\x7e]{1,255}$/;

/** Whether a text can be an Idempotency-Key: 1 to 255 visible ASCII characters. */
export function isIdempotencyKey(text: string): boolean {
  return FORM.test(text);
}

/** Digest of who asks what under which key; it names the kept answer. */
export function answerId({ actor, method, path, key }: Repeatable): string {
  const who = actor.kind === 'admin' ? [] : [actor.id, actor.workspace ?? null];
  return digest(JSON.stringify([actor.kind, ...who, method, path, key]));
}

/** The answer that was kept, opened; or how to keep the one to come. */
export async function openIdempotency(
  parts: Pick<ApiParts, 'store' | 'randomBytes'>,
  asked: Repeatable,
): Promise<Outcome | { readonly kind: 'fresh'; readonly idempotency: Idempotency }> {
  const id = answerId(asked);
  const find = async () => {
    const kept = await parts.store.findAnswer(id, asked.nowMs);
    return kept && replay(kept, asked);
  };
  const found = await find();
  if (found) return found;
  const idempotency: Idempotency = {
    seal: (answer) => ({
      id,
      bodyDigest: digest(asked.body),
      sealed: seal(answer, asked, parts.randomBytes(NONCE_BYTES)),
      expiresAtMs: asked.nowMs + KEPT_MS,
    }),
    replay: async () => (await find()) ?? fault('request_in_flight'),
  };
  return { kind: 'fresh', idempotency };
}

function replay(kept: KeptAnswer, asked: Repeatable): Answer | Fault {
  if (kept.bodyDigest !== digest(asked.body)) return fault('idempotency_key_reused');
  const answer = unseal(kept.sealed, asked);
  if (!answer) return fault('answer_sealed');
  return { ...answer, headers: { ...answer.headers, 'idempotency-replayed': 'true' } };
}

/** Nonce, ciphertext and tag. The key comes from the credential and the Idempotency-Key; neither is stored. */
function seal(answer: Answer, asked: Repeatable, nonce: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, sealingKey(asked), nonce);
  const body = Buffer.concat([cipher.update(JSON.stringify(answer), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, body, cipher.getAuthTag()]);
}

/** Undefined when it was sealed under another credential, or is not what was sealed. */
function unseal(sealed: Uint8Array, asked: Repeatable): Answer | undefined {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, sealingKey(asked), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const body = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    return JSON.parse(Buffer.concat([body, decipher.final()]).toString());
  } catch {
    return undefined;
  }
}

function sealingKey({ secret, key }: Repeatable): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, key, 'postern idempotent answer', KEY_BYTES));
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
