import * as z from 'zod';
import { hasControl } from '../core/token.ts';
import { parseDuration } from '../schema/duration.ts';
import { duration, form, key, line, strict } from '../schema/text.ts';
import { judgeStore } from './location.ts';
import { judgeRedis } from './redis-url.ts';

/** What names in Redis begin with where nothing else is said. */
export const NAMESPACE = 'postern';

const REPLICAS_MAX = 10_000;
const STALE_MS_MIN = 1000;

const redisUrl = form(judgeRedis);

/** Never quoted; it stands as it is, without escapes. */
const password = form((text) => {
  if (text === '' || text.length > 4096) return 'expected 1 to 4096 characters';
  return hasControl(text) ? 'expected a text without control bytes' : undefined;
});

const tls = strict({
  ca: key(line.optional(), 'File of the CAs that the servers are held to.', {
    unset: "Node's own CAs",
  }),
  cert: key(line.optional(), 'File of the client certificate; needs key.', { unset: 'none' }),
  key: key(line.optional(), 'File of its private key; needs cert.', { unset: 'none' }),
  server_name: key(line.optional(), "The name that the servers' certificates hold.", {
    unset: "each server's host",
  }),
});

const redis = strict({
  urls: key(
    z.union([redisUrl, z.array(redisUrl).min(1)]),
    'One URL for one Redis, a list for a Cluster; with sentinel those of the sentinels.',
    { examples: [['rediss://redis-0.example.com', 'rediss://redis-1.example.com']] },
  ),
  sentinel: key(line.optional(), 'The name of the master that the sentinels watch.', {
    unset: 'no sentinels',
  }),
  username: key(
    line.optional(),
    'The ACL user, where the URLs name none; needs password. With sentinel, the URLs name the user of the sentinels.',
    {
      unset: "Redis' default user",
    },
  ),
  password: key(password.optional(), 'The password, where the URLs hold none.', {
    examples: ['${file:/run/secrets/redis}'],
    unset: 'none',
  }),
  tls: key(tls.optional(), 'Files for TLS, PEM, relative to the policy; the URLs are rediss:.', {
    unset: "Node's own CAs, no client certificate",
  }),
  namespace: key(
    z
      .string()
      .regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, "_" and "-"')
      .default(NAMESPACE),
    'What all names in Redis begin with: Posterns that share it are one.',
  ),
});

/** `store`: memory, a file, or Redis. */
export const store = z.union([form(judgeStore), z.array(redisUrl).min(1), redis]);

/** `limits` */
export const limits = strict({
  max_subjects: key(
    z.int().min(1).default(1_000_000),
    'Most callers whose counters are kept in memory; the longest unused is forgotten first.',
  ),
  mode: key(
    z.enum(['exact', 'leased']).default('exact'),
    'With Redis: exact asks it for every check, leased takes shares of a window to spend without asking.',
  ),
});

/** `on_store_failure` */
export const onStoreFailure = strict({
  limits: key(
    z.enum(['local', 'allow', 'deny']).default('local'),
    'While Redis does not answer: count in this process against a share of each limit, let everything through, or refuse with 503.',
  ),
  replicas: key(
    z.int().min(1).max(REPLICAS_MAX).optional(),
    'Processes that share a limit then: each counts against limit / replicas.',
    { unset: 'as many as were last seen alive' },
  ),
});

/** `key_cache` */
export const keyCache = strict({
  max_stale: key(
    duration
      .refine((text) => (parseDuration(text) ?? 0) >= STALE_MS_MIN, 'expected at least 1s')
      .default('30s'),
    'How long a process that is cut off from Redis takes keys that it remembers; a revocation reaches it no sooner.',
  ),
});
