import { createHmac, randomBytes } from 'node:crypto';
import type { Answered } from '../../core/answered.ts';
import { auditLine, isAudited, refusedEvent } from '../../core/audit.ts';
import type { RecordStore } from '../../core/record-store.ts';
import { refusalText } from '../../core/refusal.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Entry } from './format.ts';
import type { AuditStream } from './stream.ts';

/** Turns answered checks into metrics, audit lines and use counts; buffered, never awaited. */
export type Recorder = (answered: Answered) => void;

/** Replaces a value by its keyed digest. */
export type Mask = (value: string) => string;

export type RecorderOptions = {
  readonly metrics: Metrics;
  readonly audit: Pick<AuditStream, 'tell' | 'keep'>;
  readonly mask: Mask;
  /** Ids that sort by time. */
  readonly makeId: (timeMs: number) => string;
  /** Keeps refused decisions and the use of keys. */
  readonly store: Pick<RecordStore, 'recordEvent' | 'recordUse'>;
};

/** Makes the mask. Without a key of one's own, masked values differ from one process to the next. */
export function createMask(key: string | undefined): Mask {
  const maskKey = key ?? randomBytes(32);
  return (value) =>
    `masked:${createHmac('sha256', maskKey).update(value).digest('hex').slice(0, 24)}`;
}

/** Makes the recorder. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { metrics, audit, store } = options;
  return (answered) => {
    count(metrics, answered);
    useKey(store, answered);
    if (answered.isKept) return;
    for (const entry of entriesOf(options, answered)) audit.tell(entry);
  };
}

/**
 * Makes what records a check before it is answered: true once its events are where every sink keeps them, false when they
 * are not within the time that there is. Undefined for a check that has none.
 */
export function createKeeper(
  options: RecorderOptions,
): (answered: Answered, withinMs: number) => Promise<boolean> | undefined {
  return (answered, withinMs) => {
    const entries = entriesOf(options, answered);
    if (entries.length === 0) return undefined;
    const kept = entries.map((entry) => options.audit.keep(entry, withinMs));
    return Promise.all(kept).then((all) => all.every(Boolean));
  };
}

/** What is recorded of a check: itself, where it is audited, and that its key is in danger. */
function entriesOf(options: RecorderOptions, answered: Answered): readonly Entry[] {
  const { decision, timeMs } = answered;
  const entry = entryOf(options, answered);
  const isDanger = decision.exposedKey || decision.notices?.includes('key.in_browser');
  const { mask, makeId } = options;
  const notice = isDanger ? noticeOf(answered, { mask, id: makeId(timeMs) }) : undefined;
  return [entry, notice].filter((one) => one !== undefined);
}

/** The entry of a check that is audited; a refused one goes to the store too. */
function entryOf(
  { mask, makeId, store }: RecorderOptions,
  { policy, request, decision, facts, timeMs, tookMs, traceId }: Answered,
): Entry | undefined {
  if (!isAudited(policy, decision)) return undefined;
  const context = { id: makeId(timeMs), timeMs, tookMs, traceId, mask };
  const line = auditLine(policy, request, facts, context);
  if (decision.kind !== 'deny') return { kind: 'decision', line, status: undefined };
  store.recordEvent(refusedEvent(line));
  const { status } = refusalText(policy.errors, decision.reason, request.id);
  return { kind: 'decision', line, status };
}

function useKey({ recordUse }: RecorderOptions['store'], { decision, timeMs }: Answered): void {
  const isDenied = decision.kind === 'deny';
  const used = decision.principal?.key?.id;
  const keyId = used ?? (isDenied ? decision.key?.id : undefined);
  if (keyId === undefined) return;
  const reason = isDenied ? decision.reason : undefined;
  recordUse({ keyId, nowMs: timeMs, reason, isKeyRefused: used === undefined });
}

function count(metrics: Metrics, answered: Answered): void {
  const { request, decision, timeMs, tookMs } = answered;
  const reason = decision.kind === 'deny' ? decision.reason : '';
  const route = decision.route?.name ?? '';
  metrics.check({ route, decision: decision.kind, reason }, tookMs, answered);
  metrics.credential(decision);
  metrics.plan(decision, timeMs);
  if (decision.taken && decision.taken.usages.length > 0) {
    metrics.limit(decision.taken.refused ? 'refused' : 'admitted');
  }
  for (const notice of decision.notices ?? []) metrics.notice(notice);
  if (decision.exposedKey) metrics.notice('key.exposed');
  if (request.isAddressUntrusted) metrics.notice('address.untrusted');
}

/** Security events have lines of their own, whatever a route says of its decisions. */
function noticeOf(
  { policy, request, decision, facts, timeMs }: Answered,
  { mask, id }: { readonly mask: Mask; readonly id: string },
): Entry {
  const address = request.address?.text;
  const shared = {
    time: new Date(timeMs).toISOString(),
    route: decision.route?.name,
    address: address && policy.mask.address ? mask(address) : address,
    request_id: request.id,
    policy: policy.hash,
  };
  const { exposedKey } = decision;
  const line = exposedKey
    ? { event: 'key.exposed', ...shared, key_prefix: exposedKey.shown, key_id: exposedKey.id }
    : { event: 'key.in_browser', ...shared, key_id: facts['key_id'] };
  return { kind: 'notice', line: { id, ...line } };
}
