import * as z from 'zod';
import { ALERT_NAMES } from '../core/alert.ts';
import { rateFigures } from '../schema/plan.ts';
import { duration, form, key, line, oneOrMore, strict } from '../schema/text.ts';
import { judgeWebhookUrl } from './location.ts';
import { webhookSecret } from './webhook-secret.ts';

const alertName = z.enum(ALERT_NAMES);

const { per_second, per_minute, per_hour, per_day } = rateFigures.shape;

const failures = strict({
  by: key(
    z.enum(['ip', 'key']),
    'ip: the address, an IPv6 address by its /64. key: a known key that is refused itself.',
  ),
  per_second,
  per_minute,
  per_hour,
  per_day,
  block: key(
    duration.optional(),
    'How long whoever reached it gets 429 too_many_failures, before any credential is looked at.',
    { examples: ['5m'], unset: 'not at all' },
  ),
});

const places = strict({
  database: key(
    oneOrMore(line),
    'MMDB files, relative to the policy: of countries, of autonomous systems, or both. New versions are taken up without a restart.',
  ),
  by: key(
    z
      .array(z.enum(['country', 'network']))
      .min(1)
      .default(['country', 'network']),
    'What a key is known by.',
  ),
});

const unusual = strict({
  factor: key(
    z.number().min(1.5).max(1000).default(5),
    'How many times the busiest hour of the last seven days is unusual.',
  ),
  at_least: key(
    z.int().min(1).default(1000),
    'Requests (or refusals) in one hour below which nothing is unusual.',
  ),
});

const webhook = strict({
  url: key(form(judgeWebhookUrl), 'Where alerts are sent: https:, or http: on loopback.'),
  secret: key(webhookSecret, 'whsec_ and base64 of 24 to 64 bytes (Standard Webhooks).', {
    examples: ['${file:/run/secrets/alert-webhook}'],
  }),
  alerts: key(z.array(alertName).min(1).optional(), 'Which alerts.', { unset: 'all' }),
});

/** `alerts`: what is watched for, and who is told. */
export const alerts = strict({
  failures: key(
    z.array(failures).default([
      { by: 'ip', per_minute: 60 },
      { by: 'key', per_minute: 60 },
    ]),
    'Failed authentications (401) in a window that raise an alert; counted by each process.',
    { examples: [[{ by: 'ip', per_minute: 20, block: '5m' }]] },
  ),
  places: key(
    places.optional(),
    'Tells of keys that are used from a country or network they were never used from.',
    { unset: 'off' },
  ),
  unusual: key(
    z.union([z.literal(false), unusual]).prefault({}),
    'Tells of keys whose requests or refusals are far above those of their own history.',
  ),
  cool_down: key(
    duration.default('1h'),
    'An alert of one name about one subject is told once in such a time; the next says how many were not.',
  ),
  mute: key(z.array(alertName).default([]), 'Alerts that are not raised.'),
  webhooks: key(z.array(webhook).max(16).default([]), 'Who is told at once.'),
});

export type AlertsConfig = z.output<typeof alerts>;
