import type { DecisionFacts } from './audit.ts';
import type { Decision } from './decision.ts';
import type { Policy } from './policy.ts';
import type { Request } from './request.ts';

/** One answered check, for metrics, audit and alerts. */
export type Answered = {
  readonly policy: Policy;
  readonly request: Request;
  readonly decision: Decision;
  readonly facts: DecisionFacts;
  readonly timeMs: number;
  readonly tookMs: number;
  /** The trace that the check stands in, and its span where it is recorded; only with tracing on. */
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  /** Its audit event is recorded already. */
  readonly isKept?: boolean | undefined;
};
