import { createHmac, randomBytes } from 'node:crypto';
import { auditLine, type DecisionFacts, isAudited, refusedEvent } from '../../core/audit.ts';
import type { Decision } from '../../core/decision.ts';
import type { Policy } from '../../core/policy.ts';
import type { RecordStore } from '../../core/record-store.ts';
import type { Request } from '../../core/request.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { LineWriter } from './line-writer.ts';

/** One answered check. */
export type Answered = {
  readonly policy: Policy;
  readonly request: Request;
  readonly decision: Decision;
  readonly facts: DecisionFacts;
  readonly timeMs: number;
  readonly tookMs: number;
};

/** Turns answered checks into metrics, audit lines and use counts; buffered, never awaited. */
export type Recorder = (answered: Answered) => void;

/** Replaces a value by its keyed digest. */
export type Mask = (value: string) => string;

export type RecorderOptions = {
  readonly metrics: Metrics;
  readonly writer: LineWriter;
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
  const { metrics, writer, mask, makeId, store } = options;
  return (answered) => {
    const { policy, request, decision, facts, timeMs, tookMs } = answered;
    count(metrics, answered);
    useKey(store, answered);
    if (isAudited(policy, decision)) {
      const context = { id: makeId(timeMs), timeMs, tookMs, mask };
      const line = auditLine(policy, request, facts, context);
      writer.write(JSON.stringify(line));
      if (decision.kind === 'deny') store.recordEvent(refusedEvent(line));
    }
    if (decision.exposedKey || decision.notices?.includes('key.in_browser')) {
      writeEvents(writer, answered, { mask, id: makeId(timeMs) });
    }
  };
}

function useKey({ recordUse }: RecorderOptions['store'], { decision, timeMs }: Answered): void {
  const isDenied = decision.kind === 'deny';
  const used = decision.principal?.key?.id;
  const keyId = used ?? (isDenied ? decision.key?.id : undefined);
  if (keyId === undefined) return;
  const reason = isDenied ? decision.reason : undefined;
  recordUse({ keyId, nowMs: timeMs, reason, isKeyRefused: used === undefined });
}

function count(metrics: Metrics, { request, decision, tookMs }: Answered): void {
  const reason = decision.kind === 'deny' ? decision.reason : '';
  const route = decision.route?.name ?? '';
  metrics.check({ route, decision: decision.kind, reason }, tookMs);
  if (decision.taken && decision.taken.usages.length > 0) {
    metrics.limit(decision.taken.refused ? 'refused' : 'admitted');
  }
  for (const notice of decision.notices ?? []) metrics.notice(notice);
  if (decision.exposedKey) metrics.notice('key.exposed');
  if (request.isAddressUntrusted) metrics.notice('address.untrusted');
}

/** Security events have lines of their own, whatever a route says of its decisions. */
function writeEvents(
  writer: LineWriter,
  { policy, request, decision, facts, timeMs }: Answered,
  { mask, id }: { readonly mask: (value: string) => string; readonly id: string },
): void {
  const address = request.address?.text;
  const shared = {
    time: new Date(timeMs).toISOString(),
    route: decision.route?.name,
    address: address && policy.mask.address ? mask(address) : address,
    request_id: request.id,
    policy: policy.hash,
  };
  const write = (event: string, more: object) =>
    writer.write(JSON.stringify({ id, event, ...shared, ...more }));
  const { exposedKey } = decision;
  if (exposedKey) write('key.exposed', { key_prefix: exposedKey.shown, key_id: exposedKey.id });
  else write('key.in_browser', { key_id: facts['key_id'] });
}
