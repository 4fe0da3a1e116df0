import * as z from 'zod';
import { SUBJECTS } from '../core/policy.ts';
import { addressBlock, count, key, slug, strict } from './text.ts';

const rates = {
  per_second: key(count.optional(), 'Most units in one second (UTC).', { examples: [10] }),
  per_minute: key(count.optional(), 'Most units in one minute.', { examples: [60] }),
  per_hour: key(count.optional(), 'Most units in one hour.'),
  per_day: key(count.optional(), 'Most units in one day (UTC).', { examples: [1000] }),
  per_month: key(count.optional(), 'Most units in one calendar month (UTC).'),
  burst: key(
    count.optional(),
    'Size of a bucket of requests that refills at the rate of the smallest window; needs a per_X beside it.',
    { examples: [10] },
  ),
};

const quota = {
  quota: key(
    strict({
      requests: key(count, 'Units in one period.', { examples: [1000] }),
      per: key(z.enum(['day', 'month']), 'The period, a UTC day or calendar month.'),
    }).optional(),
    'An amount that was bought: beyond it the answer is 402 quota_exhausted.',
  ),
};

/** The windows and bucket of a key or a route. */
export const rateFigures = strict(rates);

/** The same with a quota. */
export const planFigures = strict({ ...rates, ...quota });

export const subject = z.enum(SUBJECTS);

export const plan = strict({
  ...rates,
  ...quota,
  by: key(subject.optional(), 'What this plan counts against.', { unset: 'limit_by' }),
  api_key: key(planFigures.optional(), 'Figures that replace those above for API keys.'),
  jwt: key(planFigures.optional(), 'Figures that replace those above for tokens.'),
  anonymous: key(
    planFigures.optional(),
    'Figures that replace those above for callers without a credential.',
  ),
});

export const routeLimit = strict({
  name: key(slug.optional(), 'Name in the rate-limit headers; unique in its route.', {
    unset: 'limit-N',
  }),
  by: key(subject.optional(), 'What the limit counts against.', { unset: 'limit_by' }),
  on: key(
    z.enum(['all', 'refused']).default('all'),
    'refused: counts 401s only; who has used it up gets 429 too_many_failures before any credential is looked at. By ip only.',
  ),
  ...rates,
});

export const workspace = strict({
  slug: key(slug.optional(), 'A second name, for {workspace} in paths and hosts.'),
  plan: key(z.string().optional(), 'Plan of its keys and tokens that name none themselves.'),
  overrides: key(planFigures.optional(), 'Figures laid over those of the plan.', {
    examples: [{ per_minute: 5000 }],
  }),
  status: key(
    z.enum(['active', 'suspended', 'past_due']).default('active'),
    'suspended refuses with 403, past_due with 402.',
  ),
  allowed_ips: key(
    z.array(addressBlock).optional(),
    'Addresses and CIDR blocks its credentials may be used from.',
    { unset: 'any' },
  ),
});
