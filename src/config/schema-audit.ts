import * as z from 'zod';
import { duration, form, key, line, strict } from '../schema/text.ts';
import { judgeWebhookUrl } from './location.ts';
import { judgeRedis } from './redis-url.ts';
import { auditEvents } from './schema-route.ts';
import { webhookSecret } from './webhook-secret.ts';

/** How long audit events are kept where nothing is said. */
const AUDIT_KEEP = '30d';
const MEBIBYTE = 1024 * 1024;

const format = z.enum(['postern', 'ocsf']);

const FORMAT =
  'postern: the lines of standard output. ocsf: OCSF events in CloudEvents 1.0 envelopes.';

const stdout = strict({ format: key(format.default('postern'), FORMAT) });

const file = strict({
  path: key(line, 'The file, relative to the policy.'),
  format: key(format.default('ocsf'), FORMAT),
  max_bytes: key(
    z
      .int()
      .min(MEBIBYTE)
      .default(100 * MEBIBYTE),
    'Size at which a new file begins; the old one is renamed with its time.',
  ),
  keep_files: key(z.int().min(1).max(10_000).default(10), 'Old files that are kept.'),
});

const redis = strict({
  url: key(form(judgeRedis).optional(), 'redis:// or rediss:// of the stream.', {
    unset: 'that of the store',
  }),
  stream: key(line.default('postern:audit'), 'Name of the stream.'),
  max_length: key(
    z.int().min(1000).default(1_000_000),
    'Entries that the stream keeps, roughly; the oldest go first.',
  ),
  format: key(format.default('ocsf'), FORMAT),
});

const webhook = strict({
  url: key(form(judgeWebhookUrl), 'Where events are sent: https:, or http: on loopback.'),
  secret: key(webhookSecret, 'whsec_ and base64 of 24 to 64 bytes (Standard Webhooks).', {
    examples: ['${file:/run/secrets/audit-webhook}'],
  }),
  format: key(format.default('ocsf'), FORMAT),
});

const sink = z.union([
  z.literal('stdout'),
  strict({ stdout: key(stdout, 'Standard output.') }),
  strict({ file: key(file, 'A file with rotation.') }),
  strict({ redis: key(redis, 'A Redis stream.') }),
  strict({ webhook: key(webhook, 'An HTTPS webhook, signed as Standard Webhooks says.') }),
]);

const chain = z.union([
  z.boolean(),
  strict({
    key: key(
      line,
      'At least 32 characters; the hash becomes an HMAC that only its holder can make.',
      {
        examples: ['${file:/run/secrets/audit-chain}'],
      },
    ),
  }),
]);

const settings = strict({
  events: key(auditEvents.default('all'), 'Decisions that are written.'),
  mask: key(
    z.array(z.enum(['username', 'address'])).default([]),
    'Facts that are written as a keyed digest.',
  ),
  keep: key(
    duration.default(AUDIT_KEEP),
    'How long the store keeps audit events for the management API.',
  ),
  mode: key(
    z.enum(['buffered', 'blocking']).default('buffered'),
    'blocking: nothing is answered before its event is on disk or with the reader of standard output; what cannot be recorded is answered 503.',
  ),
  sinks: key(z.array(sink).min(1).default(['stdout']), 'Where events go.', {
    examples: [['stdout', { file: { path: '/var/log/postern/audit.jsonl' } }]],
  }),
  spool: key(
    line.optional(),
    'Folder, relative to the policy, where events wait for redis and webhook sinks; they need it.',
    { unset: 'none' },
  ),
  spool_max_bytes: key(
    z
      .int()
      .min(MEBIBYTE)
      .default(256 * MEBIBYTE),
    'What may wait there; beyond it events are dropped, and counted.',
  ),
  chain: key(
    chain.default(false),
    'Each event holds a hash of the one before, so that postern audit verify finds what was changed or taken out.',
  ),
});

/** `audit`: which decisions are recorded, and where records go. */
export const audit = z.union([auditEvents, settings]);

export type AuditConfig = z.output<typeof settings>;

/** The audit settings of a policy, written out. */
export function auditOf({
  audit: written,
}: {
  readonly audit: z.output<typeof audit>;
}): AuditConfig {
  return typeof written === 'string' ? settings.parse({ events: written }) : written;
}
