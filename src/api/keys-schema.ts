import * as z from 'zod';
import { compileAddresses } from '../core/address.ts';
import { KEY_KINDS } from '../core/api-key.ts';
import { GRACE_MS_MAX } from '../core/key-life.ts';
import { parseTimestamp } from '../core/key-record.ts';
import { compileOrigins } from '../core/origin.ts';
import { rateFigures } from '../schema/plan.ts';
import { form, grant, keyHash, line, slug, strict } from '../schema/text.ts';

const METADATA_BYTES_MAX = 16 * 1024;
const LIST_MAX = 1000;

/** A problem never quotes the text: somebody may have pasted a key where an address belongs. */
const addressBlock = form((text) =>
  'problem' in compileAddresses([text])
    ? 'expected an address or CIDR block such as 192.0.2.0/24'
    : undefined,
);
const origin = form((text) =>
  'problem' in compileOrigins([text])
    ? 'expected app.example.com, *.example.com or https://app.example.com:8443'
    : undefined,
);
const origins = z.union([
  z.array(origin).max(LIST_MAX),
  strict({
    allow: z.array(origin).max(LIST_MAX),
    missing: z.enum(['allow', 'deny']).default('allow'),
  }),
]);

/** A time, turned to UTC with milliseconds as records keep it. */
export const moment = z.string().transform((text, context) => {
  const timeMs = parseTimestamp(text);
  const written = timeMs === undefined ? '' : new Date(timeMs).toISOString();
  if (parseTimestamp(written) !== undefined) return written;
  context.addIssue({
    code: 'custom',
    message: 'expected an RFC 3339 time such as 2030-01-31T00:00:00Z',
  });
  return z.NEVER;
});

const metadata = z
  .record(z.string(), z.unknown())
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= METADATA_BYTES_MAX, {
    message: 'expected at most 16 KiB as JSON',
  });

const names = (schema: z.ZodType<string>) => z.array(schema).max(LIST_MAX);
const tell = <T extends z.ZodType>(schema: T, description: string) => schema.meta({ description });

/** What a change may set; null clears. */
const changeable = {
  description: tell(line.nullish(), 'A text for people.'),
  plan: tell(line.nullish(), 'Plan of its own.'),
  rate_limit: tell(rateFigures.nullish(), 'A limit of its own, which adds to the plan.'),
  allowed_ips: tell(
    z.array(addressBlock).max(LIST_MAX).nullish(),
    'Addresses and CIDR blocks it may be used from; null for any.',
  ),
  allowed_referers: tell(origins.nullish(), 'Pages it may be used from; null for any.'),
  allowed_origins: tell(origins.nullish(), 'Origins it may be used from.'),
  allowed_routes: tell(names(line).nullish(), 'Routes of the policy it may be used on.'),
  username: tell(line.nullish(), 'What upstream is told; the admin alone sets it.'),
  metadata: tell(metadata.nullish(), 'Anything of yours, at most 16 KiB as JSON.'),
  expires_at: tell(moment.nullish(), 'When it ends (RFC 3339).'),
};

const created = {
  name: tell(line, 'A name for people.'),
  workspace_id: tell(slug.nullish(), 'Its workspace; yours when it is left out.'),
  kind: tell(z.enum(KEY_KINDS).default('service'), 'Whose key it is.'),
  owner: tell(slug.nullish(), 'A personal key: its user, you when left out. A team key: its team.'),
  environment: tell(z.string().min(1).max(64).nullish(), 'Chooses the prefix of this environment.'),
  prefix: tell(z.string().max(64).optional(), 'The prefix of the policy that it begins with.'),
  scopes: tell(names(grant).default([]), 'Scopes, wildcards among them.'),
  roles: tell(names(line).default([]), 'Roles of the policy or of the workspace.'),
  hide_credentials: tell(z.boolean().default(false), 'Whether upstream never sees it.'),
  ...changeable,
};

const hash = tell(keyHash, 'SHA-256 of the whole key, to take over one that was made elsewhere.');
const key_prefix = tell(
  z
    .string()
    .regex(/^[\w.~-]{0,68}$/, 'expected URL-safe characters')
    .optional(),
  'What may be shown of a key taken over.',
);

export const draft = strict({ ...created, hash: hash.optional(), key_prefix }).meta({
  id: 'ApiKeyDraft',
});
export type Draft = z.output<typeof draft>;

export const imported = strict({
  ...created,
  prefix: tell(z.string().max(64), 'A prefix of the policy that needs no checksum.'),
  hash,
  key_prefix,
}).meta({ id: 'ApiKeyImport' });
export type Imported = z.output<typeof imported>;

export const patch = strict({
  name: created.name.optional(),
  scopes: names(grant).optional(),
  roles: names(line).optional(),
  hide_credentials: z.boolean().optional(),
  ...changeable,
}).meta({ id: 'ApiKeyPatch' });
export type Patch = z.output<typeof patch>;

export const rotation = strict({
  grace_seconds: tell(
    z
      .int()
      .min(0)
      .max(GRACE_MS_MAX / 1000)
      .default(0),
    'How long the secret before is let in beside the new one; 0: it ends now.',
  ),
  expires_at: tell(moment.optional(), 'A new end of the key.'),
}).meta({ id: 'ApiKeyRotation' });
export type RotationBody = z.output<typeof rotation>;

const nullable = z.string().nullable();
const shownOrigins = z
  .union([
    z.array(z.string()),
    z.strictObject({ allow: z.array(z.string()), missing: z.enum(['allow', 'deny']) }),
  ])
  .nullable();

const shown = {
  id: z.string(),
  workspace_id: nullable,
  name: z.string(),
  description: nullable,
  kind: z.enum(KEY_KINDS),
  owner: nullable,
  environment: nullable,
  key_prefix: tell(nullable, 'What may be shown of its newest secret.'),
  scopes: z.array(z.string()),
  roles: z.array(z.string()),
  plan: nullable,
  rate_limit: rateFigures.nullable(),
  allowed_ips: z.array(z.string()).nullable(),
  allowed_referers: shownOrigins,
  allowed_origins: shownOrigins,
  allowed_routes: z.array(z.string()).nullable(),
  username: nullable,
  hide_credentials: z.boolean(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
  status: z.enum(['active', 'disabled', 'revoked', 'expired']),
  revoked_because: nullable,
  leaked_at: nullable,
  last_used_at: nullable,
  expires_at: nullable,
  created_at: nullable,
  created_by: nullable,
  updated_at: nullable,
  rotated_at: nullable,
  previous_secret_until: tell(nullable, 'While a rotated-out secret is still let in: its end.'),
  read_only: tell(z.boolean(), 'Whether the policy declares it.'),
};

export const shownKey = z.strictObject(shown).meta({ id: 'ApiKey' });
export type ShownKey = z.output<typeof shownKey>;

const raw = tell(z.string(), 'The raw key. It is never shown again.');

export const mintedKey = z.strictObject({ ...shown, key: raw }).meta({ id: 'MintedApiKey' });

/** A key that was made or, without `key`, taken over. */
export const createdKey = z
  .strictObject({ ...shown, key: raw.optional() })
  .meta({ id: 'CreatedApiKey' });

const SHOWN_ORDER = Object.keys(shown) as (keyof ShownKey)[];

/** The same key with its fields in the order in which they are documented. */
export function inOrder(key: ShownKey): ShownKey {
  return Object.fromEntries(SHOWN_ORDER.map((name) => [name, key[name]])) as ShownKey;
}
