import { normalize } from 'node:path';
import { CHAIN_KEY_CHARS_MIN } from '../core/audit-chain.ts';
import { isPlainMap } from './plain.ts';
import type { Path } from './problem.ts';
import { valueAt } from './prune.ts';
import type { Review } from './review.ts';
import { type AuditConfig, auditOf } from './schema-audit.ts';

type Sink = AuditConfig['sinks'][number];

const FAR: ReadonlySet<string> = new Set(['redis', 'webhook']);
const SPOOL_ADVICE =
  'needs audit.spool, a folder where events wait, such as spool: /var/lib/postern/audit';

/** Reports what is wrong with the audit as a whole. */
export function checkAudit(review: Review): void {
  const audit = auditOf(review.config);
  checkSinks(review, audit);
  checkChain(review, audit);
  const isFar = audit.sinks.some((sink) => FAR.has(kindOf(sink)));
  if (audit.spool !== undefined && !isFar && !wroteFarSink(review)) {
    review.warn(['audit', 'spool'], 'means nothing without a redis or webhook sink', 'key');
  }
}

/** Whether a far sink is written that has problems of its own, and so is missing in `config`. */
function wroteFarSink({ whole }: Review): boolean {
  const written = valueAt(whole, ['audit', 'sinks']);
  if (!Array.isArray(written)) return false;
  return written.some((sink) => isPlainMap(sink) && Object.keys(sink).some((key) => FAR.has(key)));
}

function checkSinks(review: Review, { sinks, spool }: AuditConfig): void {
  const seen = new Set<string>();
  for (const [index, sink] of sinks.entries()) {
    const kind = kindOf(sink);
    const path: Path = ['audit', 'sinks', index];
    if (FAR.has(kind) && spool === undefined) {
      review.problem(path, `a ${kind} sink ${SPOOL_ADVICE}`);
    }
    if (isHomeless(review, sink) && !review.wrote([...path, 'redis', 'url'])) {
      review.problem(path, 'needs a url: the store is no Redis whose own could serve');
    }
    const place = placeOf(sink);
    if (seen.has(place)) review.problem(path, 'another sink goes to the same place');
    seen.add(place);
  }
}

/** The key is never quoted. */
function checkChain(review: Review, { chain }: AuditConfig): void {
  if (typeof chain === 'boolean' || chain.key.length >= CHAIN_KEY_CHARS_MIN) return;
  const path: Path = ['audit', 'chain', 'key'];
  review.problem(
    path,
    `expected at least ${CHAIN_KEY_CHARS_MIN} characters, which nobody can guess`,
  );
}

function kindOf(sink: Sink): string {
  return typeof sink === 'string' ? sink : (Object.keys(sink)[0] ?? '');
}

/** A redis sink without a URL, beside a store that has none. */
function isHomeless({ config }: Review, sink: Sink): boolean {
  if (typeof sink === 'string' || !('redis' in sink) || sink.redis.url !== undefined) return false;
  const { store } = config;
  return typeof store === 'string' && !/^rediss?:/.test(store);
}

/** What tells the place of one sink from that of another. */
function placeOf(sink: Sink): string {
  if (typeof sink === 'string' || 'stdout' in sink) return 'stdout';
  if ('file' in sink) return `file ${normalize(sink.file.path)}`;
  if ('webhook' in sink) return `webhook ${sink.webhook.url}`;
  return `redis ${sink.redis.stream} ${sink.redis.url ?? ''}`;
}
