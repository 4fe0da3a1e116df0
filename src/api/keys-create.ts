import { hashKey, mintKey, type Prefix, parseKeyHash, shownPrefix } from '../core/api-key.ts';
import type { Policy } from '../core/policy.ts';
import type { Secret, StoredKey } from '../core/records.ts';
import { roleBook } from './book.ts';
import { commitChange, type Lost, mintId, retryLost, timeText } from './change.ts';
import { type Fault, type FieldError, fault, invalid } from './fault.ts';
import { findCompany, nameErrors, namesakeErrors } from './keys-check.ts';
import { beyondFields, beyondKey } from './keys-power.ts';
import type { Draft, Imported } from './keys-schema.ts';
import { auditedKey, showKey } from './keys-show.ts';
import type { Call, Outcome } from './row.ts';
import { unknownWorkspace } from './workspaces-known.ts';

const RANDOM_BYTES = 96;
/** Characters that may be shown of an imported key beside its prefix. */
const SHOWN_CHARS_MAX = 4;

/** A key that is about to be kept; `raw` is shown in the answer, and nowhere else. */
type Birth = {
  readonly prefix: Prefix;
  readonly secret: Secret;
  readonly raw?: string | undefined;
  readonly event: 'key.created' | 'key.imported';
};

/** Makes a key, whose raw text leaves in this answer alone; one that names a hash is taken over. */
export async function createKey(call: Call<unknown, Draft>): Promise<Outcome> {
  const { hash, key_prefix: shown } = call.body;
  if (hash !== undefined) return importKey({ ...call, body: { ...call.body, hash } });
  if (shown !== undefined) {
    const detail = 'expected with a hash only: it is read from the key that is made';
    return fault('validation_failed', [{ pointer: '/key_prefix', detail }]);
  }
  const prefix = choosePrefix(call.policy, call.body, (one) => one.checksum && one.prefix !== '');
  if ('detail' in prefix) return fault('validation_failed', [prefix]);
  const { raw, secret } = mintSecret(call, prefix.prefix);
  return keepKey(call, { prefix, secret, raw, event: 'key.created' });
}

/** Takes over a key that was made elsewhere, known by its hash alone. */
export async function importKey(
  call: Call<unknown, Omit<Imported, 'prefix'> & Pick<Draft, 'prefix'>>,
): Promise<Outcome> {
  const { policy, body } = call;
  const prefix = choosePrefix(policy, body, takesImports);
  if ('detail' in prefix) return fault('validation_failed', [prefix]);
  const hash = parseKeyHash(body.hash);
  const errors = importErrors(prefix, body);
  if (errors.length > 0 || !hash) return fault('validation_failed', errors);
  if (policy.declaredKeys.has(hash)) return fault('already_exists');
  const secret = { hash, key_prefix: body.key_prefix ?? prefix.prefix };
  return keepKey(call, { prefix, secret, event: 'key.imported' });
}

/** A new secret under a prefix, and what may be kept of it. */
export function mintSecret(
  { parts }: Pick<Call, 'parts'>,
  prefix: string,
): { readonly raw: string; readonly secret: Secret } {
  const raw = mintKey(prefix, parts.randomBytes(RANDOM_BYTES));
  return { raw, secret: { hash: hashKey(raw), key_prefix: shownPrefix(prefix, raw) } };
}

function importErrors(
  prefix: Prefix,
  { key_prefix: shown }: Pick<Imported, 'key_prefix'>,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!takesImports(prefix)) {
    const detail = 'keys of this prefix carry a checksum: import under one with checksum: false';
    errors.push({ pointer: '/prefix', detail });
  }
  const longest = prefix.prefix.length + SHOWN_CHARS_MAX;
  if (shown !== undefined && !(shown.startsWith(prefix.prefix) && shown.length <= longest)) {
    const detail = `expected the prefix and at most ${SHOWN_CHARS_MAX} characters of the key`;
    errors.push({ pointer: '/key_prefix', detail });
  }
  return errors;
}

/** Keys of every shape stand under a prefix without checksum, and under the empty one. */
function takesImports({ checksum, prefix }: Prefix): boolean {
  return !checksum || prefix === '';
}

/** The prefix that a body names, or the only usual one that can be meant; else why there is none. */
export function choosePrefix(
  { prefixes }: Pick<Policy, 'prefixes'>,
  body: Pick<Draft, 'prefix' | 'environment'>,
  isUsual: (prefix: Prefix) => boolean,
): Prefix | FieldError {
  const environment = body.environment ?? undefined;
  if (body.prefix !== undefined) {
    const named = prefixes.find((one) => one.prefix === body.prefix);
    if (!named) return { pointer: '/prefix', detail: 'there is no such prefix' };
    const isAgreed = environment === undefined || named.environment === environment;
    return isAgreed ? named : { pointer: '/environment', detail: 'the prefix has another one' };
  }
  const usual = prefixes.filter((one) => !one.publishable && isUsual(one));
  const meant = usual.filter((one) => environment === undefined || one.environment === environment);
  const [only, second] = meant;
  const pointer = environment === undefined ? '/prefix' : '/environment';
  if (!only) return { pointer, detail: 'no prefix fits: name one' };
  return second ? { pointer: '/prefix', detail: 'several prefixes fit: name one' } : only;
}

/** Judges and keeps a new key. */
function keepKey(call: Call<unknown, Draft>, birth: Birth): Promise<Outcome> {
  const { actor, body } = call;
  const own = actor.kind === 'admin' ? undefined : actor.workspace;
  const workspace = body.workspace_id ?? own;
  if (actor.kind !== 'admin' && workspace !== own) {
    const detail = 'expected your own workspace';
    return Promise.resolve(fault('beyond_grant', [{ pointer: '/workspace_id', detail }]));
  }
  const key = draftKey(call, birth, workspace);
  return retryLost(call, () => tryKeep(call, birth, key));
}

async function tryKeep(
  call: Call<unknown, Draft>,
  birth: Birth,
  key: StoredKey,
): Promise<Outcome | Lost> {
  const book = await roleBook(call, key.workspace_id);
  const company = await findCompany(call, key);
  const placeless = await unknownWorkspace(call, key.workspace_id);
  const wrong = invalid([...placeless, ...company.errors, ...nameErrors(call, key, book)]);
  if (wrong) return wrong;
  const named = { scopes: key.scopes, roles: key.roles };
  const refusal = refuseBeyond([
    ...beyondFields(call, fieldsOf(call.body)),
    ...beyondKey(call, { key, named, user: company.user?.record, book }),
    ...(await namesakeErrors(call, key)),
  ]);
  if (refusal) return refusal;
  const shown = showKey(call, { record: key });
  return commitChange(
    call,
    {
      writes: [...company.requires, { kind: 'key', put: key, expected: 0 }],
      events: [
        {
          event: birth.event,
          workspace_id: key.workspace_id,
          object: { kind: 'key', id: key.id },
          after: auditedKey(key),
        },
      ],
    },
    {
      status: 201,
      body: birth.raw === undefined ? shown : { ...shown, key: birth.raw },
      etag: 1,
      headers: { location: `/v1/api-keys/${key.id}` },
    },
  );
}

/** Refuses to give what the actor does not hold; undefined when nothing is beyond it. */
export function refuseBeyond(errors: readonly FieldError[]): Fault | undefined {
  return errors.length === 0 ? undefined : fault('beyond_grant', errors);
}

function fieldsOf({ username, plan }: Draft) {
  return { username: username ?? undefined, plan: plan ?? null };
}

function draftKey(
  call: Call<unknown, Draft>,
  { prefix, secret }: Birth,
  workspace: string | undefined,
): StoredKey {
  const { actor, body, nowMs } = call;
  const now = timeText(nowMs);
  const self = actor.kind === 'admin' ? undefined : actor.user;
  const { kind, owner, name, scopes, roles, ...more } = body;
  return {
    ...settings(more),
    id: mintId(call),
    workspace_id: workspace,
    name,
    kind,
    owner: owner ?? (kind === 'personal' ? self : undefined),
    environment: prefix.environment,
    prefix: prefix.prefix,
    key_prefix: secret.key_prefix,
    scopes,
    roles,
    status: 'active',
    created_at: now,
    created_by: makerOf(actor),
    updated_at: now,
    rotated_at: now,
    secrets: [secret],
  };
}

/** The fields of a body that stand in the record as they are, null for none. */
function settings(body: Omit<Draft, 'kind' | 'owner' | 'name' | 'scopes' | 'roles'>) {
  return {
    description: body.description ?? undefined,
    username: body.username ?? undefined,
    plan: body.plan ?? undefined,
    rate_limit: body.rate_limit ?? undefined,
    allowed_ips: body.allowed_ips ?? undefined,
    allowed_referers: body.allowed_referers ?? undefined,
    allowed_origins: body.allowed_origins ?? undefined,
    allowed_routes: body.allowed_routes ?? undefined,
    hide_credentials: body.hide_credentials,
    metadata: body.metadata ?? undefined,
    expires_at: body.expires_at ?? undefined,
  };
}

function makerOf(actor: Call['actor']): string {
  if (actor.kind === 'admin') return 'admin';
  return actor.kind === 'jwt' ? (actor.username ?? actor.id) : actor.id;
}
