import * as z from 'zod';
import { KEY_KINDS } from '../core/api-key.ts';
import { rateFigures } from '../schema/plan.ts';
import {
  addressBlock,
  credentialHeader,
  duration,
  form,
  grant,
  key,
  keyHash,
  line,
  origins,
  parameterName,
  slug,
  strict,
  timestamp,
} from '../schema/text.ts';
import { judgeKeyLocation } from './location.ts';

const place = z.union([
  z.literal('bearer'),
  strict({
    header: key(credentialHeader.optional(), 'A header that holds nothing else.', {
      examples: ['x-api-key'],
    }),
    query: key(parameterName.optional(), 'A query parameter.', { examples: ['api_key'] }),
  }),
]);

const prefix = strict({
  environment: key(slug.optional(), 'Environment of every key with this prefix.', {
    examples: ['live'],
  }),
  max_scopes: key(z.array(grant).optional(), 'Ceiling for the scopes of its keys.', {
    unset: 'none',
  }),
  publishable: key(z.boolean().default(false), 'Whether its keys may live in a browser.'),
  checksum: key(
    z.boolean().default(true),
    'false admits keys of any shape that were imported from elsewhere.',
  ),
  description: key(z.string().optional(), 'A note for people.'),
});

const hashes = z.union([
  keyHash,
  z
    .array(
      strict({
        hash: key(keyHash, 'SHA-256 of one secret of the key.'),
        until: key(timestamp.optional(), 'When a secret that was rotated out ends.'),
      }),
    )
    .min(1),
]);

const declaredKey = strict({
  id: key(line, 'Unique id, sent upstream and written to the audit log.'),
  name: key(line.optional(), 'Name for people.', { unset: 'the id' }),
  description: key(z.string().optional(), 'A note for people.'),
  hash: key(hashes, 'SHA-256 of the whole key, or several while one is rotated out.', {
    examples: [`sha256:${'0'.repeat(64)}`],
  }),
  kind: key(z.enum(KEY_KINDS).default('service'), 'personal, team or service.'),
  owner: key(line.optional(), 'The user that a personal key belongs to.'),
  team: key(line.optional(), 'The team, sent upstream.'),
  workspace: key(slug.optional(), 'The workspace the key belongs to.'),
  username: key(line.optional(), 'Name for limits, logs and upstream.', {
    unset: 'the owner, else the name',
  }),
  scopes: key(z.array(grant).default([]), 'Scopes and wildcards.', { examples: [['agents:read']] }),
  roles: key(z.array(z.string()).default([]), 'Roles; their scopes count as its own.'),
  plan: key(z.string().optional(), 'Plan of this key.', { unset: "the workspace's" }),
  rate_limit: key(rateFigures.optional(), 'A limit of its own, beside that of the plan.'),
  environment: key(slug.optional(), 'Its environment; one of those that prefixes have.', {
    unset: "the prefix's",
  }),
  allowed_ips: key(z.array(addressBlock).optional(), 'Addresses it may be used from.', {
    unset: 'any',
  }),
  allowed_referers: key(origins().optional(), 'Pages it may be used from.', { unset: 'any' }),
  allowed_origins: key(origins().optional(), 'Origins it may be used from.', { unset: 'any' }),
  allowed_routes: key(z.array(z.string()).optional(), 'Routes, by name, it may be used on.', {
    unset: 'any',
  }),
  hide_credentials: key(
    z.boolean().default(false),
    'Remove the key even where the route keeps it.',
  ),
  expires_at: key(timestamp.optional(), 'When it ends.', { unset: 'never' }),
  disabled: key(z.boolean().default(false), 'Refuse it for the time being.'),
  metadata: key(z.record(z.string(), z.unknown()).optional(), 'Facts of your own; not judged.'),
});

const prefixText = form((text) =>
  /^[\w.~-]{0,32}$/.test(text) ? undefined : 'expected a prefix of at most 32 URL-safe characters',
);

export const apiKeys = strict({
  read_from: key(
    z
      .array(place)
      .min(1)
      .default(['bearer', { header: 'x-api-key' }]),
    'Where a key may stand. Every place is stripped before the request goes upstream.',
    { examples: [['bearer', { query: 'api_key' }]] },
  ),
  prefixes: key(
    z.record(prefixText, prefix).prefault({ pst_: {} }),
    'Prefixes of keys; the longest that fits wins. "" is any other token of 16 to 255 URL-safe characters.',
    { examples: [{ pr_live_: { environment: 'live' } }] },
  ),
  browser: key(
    z.enum(['allow', 'flag', 'deny']).default('flag'),
    'What happens when a key that is neither publishable nor bound to origins comes from a browser.',
  ),
  max_age: key(
    duration.optional(),
    'Longest life of a stored key from its creation; it is refused as expired afterwards.',
    { unset: 'no limit', examples: ['365d'] },
  ),
  rotate_every: key(
    duration.optional(),
    'Longest life of a secret of a stored key; rotate the key to go on.',
    { unset: 'no limit', examples: ['90d'] },
  ),
  warn_before: key(
    duration.default('14d'),
    'How long before its end, by whatever rule, a key raises the event key.expiring.',
  ),
  stale_after: key(
    duration.default('90d'),
    'A stored key that was not used for so long raises the event key.stale.',
  ),
  leaked: key(
    strict({
      action: key(
        z.enum(['revoke', 'flag']).default('revoke'),
        'revoke ends the key at once; flag marks it and raises the event key.leaked.',
      ),
      public_keys: key(
        form(judgeKeyLocation),
        'Where the public keys of the secret scanner stand: https:, file:/path, or http: on loopback.',
      ),
    }).optional(),
    'Takes reports of leaked keys at POST /v1/leaked-keys.',
    { unset: 'nobody may report' },
  ),
  declared: key(z.array(declaredKey).default([]), 'Keys, by the hash of each.'),
});
