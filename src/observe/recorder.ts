import { createHmac, randomBytes } from 'node:crypto';
import { auditLine, type DecisionFacts, isAudited } from '../core/audit.ts';
import type { Decision } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import type { Request } from '../core/request.ts';
import type { LineWriter } from './line-writer.ts';
import type { Metrics } from './metrics.ts';

/** One answered check. */
export type Answered = {
  readonly policy: Policy;
  readonly request: Request;
  readonly decision: Decision;
  readonly facts: DecisionFacts;
  readonly timeMs: number;
  readonly tookMs: number;
};

/** Turns answered checks into metrics and audit lines; buffered, never awaited. */
export type Recorder = (answered: Answered) => void;

/** Makes the recorder. Without `maskKey` masked values differ from one process to the next. */
export function createRecorder(options: {
  readonly metrics: Metrics;
  readonly writer: LineWriter;
  readonly maskKey?: string | undefined;
}): Recorder {
  const { metrics, writer } = options;
  const maskKey = options.maskKey ?? randomBytes(32);
  const mask = (value: string) =>
    `masked:${createHmac('sha256', maskKey).update(value).digest('hex').slice(0, 24)}`;
  const makeId = createIds();
  return (answered) => {
    const { policy, request, decision, facts, timeMs, tookMs } = answered;
    count(metrics, answered);
    if (isAudited(policy, decision)) {
      const context = { id: makeId(), timeMs, tookMs, mask };
      writer.write(JSON.stringify(auditLine(policy, request, facts, context)));
    }
    if (decision.exposedKey || decision.notices?.includes('key.in_browser')) {
      writeEvents(writer, answered, { mask, id: makeId() });
    }
  };
}

/** Ids of audit lines: random for this process, counted within it. */
function createIds(): () => string {
  const instance = randomBytes(12).toString('hex');
  let last = 0;
  return () => {
    last += 1;
    return `${instance}-${last}`;
  };
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
