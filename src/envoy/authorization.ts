import { randomUUID } from 'node:crypto';
import type { Answered } from '../core/answered.ts';
import { decisionFacts } from '../core/audit.ts';
import { check } from '../core/check.ts';
import { deny } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import { PortFailure, type Ports } from '../core/ports.ts';
import type { CheckTrace, TraceCheck, TraceQuestion } from '../core/trace.ts';
import { giveBack, portsWithin } from './deadline.ts';
import { decodeCheck, NO_QUESTION } from './decode.ts';
import { createEncoder } from './encode.ts';
import { readCheck } from './read.ts';
import type { Sight, WatchWiring } from './wiring.ts';
import { type CheckAnswer, writeDecision, writeLastResort } from './write.ts';

/** What a check needs besides its message. */
export type Authorization = {
  readonly ports: Ports;
  /** The policy of this moment; one check uses one policy from beginning to end. */
  readonly policy: () => Policy;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  readonly hostAddresses: ReadonlySet<string>;
  /** Never awaited; buffered by whoever listens. */
  readonly record: (record: Answered) => void;
  /**
   * Records a check before it is answered: true once it is recorded, false when it is not within so many milliseconds,
   * and then the answer is 503. Undefined for a check that is not to be recorded; absent where no answer waits.
   */
  readonly keep?:
    | ((record: Answered, withinMs: number) => Promise<boolean> | undefined)
    | undefined;
  /** Looks at every question for what is wrong with the wiring around it. */
  readonly watch?: WatchWiring | undefined;
  /** Finds and records the trace of a check; absent where nothing is traced. */
  readonly trace?: TraceCheck | undefined;
  /** A bug or a failed port; never thrown further. */
  readonly onFailure: (cause: unknown, traceId?: string) => void;
};

/**
 * Answers one CheckRequest, encoded to encoded, within `budgetMs`. `timeoutMs` is how long Envoy waits: infinite where
 * it sets no deadline, NaN where that is not known. `carried` is each `traceparent` that came with the call; nobody
 * reads it where nothing is traced. Never rejects.
 */
export type HandleCheck = (
  bytes: Uint8Array,
  budgetMs: number,
  timeoutMs?: number,
  carried?: readonly string[],
) => Promise<Uint8Array>;

/** The full name of Envoy's service (external_auth.proto). */
export const CHECK_SERVICE = 'envoy.service.auth.v3.Authorization';

/** Makes the one place that catches: whatever goes wrong below, the answer is an explicit deny. */
export function createHandleCheck(authorization: Authorization): HandleCheck {
  const encode = createEncoder();
  return async (bytes, budgetMs, timeoutMs = Number.NaN, carried = NO_TRACE) => {
    const startedMs = performance.now();
    try {
      const call = { budgetMs, timeoutMs, carried, startedMs };
      const judged = await answerCheck(authorization, bytes, call);
      const answered = authorization.keep ? await keepSafely(authorization, judged, call) : judged;
      const encoded = encode(answered.answer);
      const endedMs = performance.now();
      recordSafely(authorization, answered, endedMs - startedMs);
      if (answered.trace) endSafely(authorization, answered, endedMs);
      return encoded;
    } catch (cause) {
      reportSafely(authorization, cause);
      return encode(writeLastResort(randomUUID()));
    }
  };
}

const NO_TRACE: readonly string[] = [];

/** How a message came, besides its bytes. */
type Call = {
  readonly budgetMs: number;
  readonly timeoutMs: number;
  readonly carried: readonly string[];
  readonly startedMs: number;
};
type Decided = Pick<Answered, 'policy' | 'request' | 'decision' | 'timeMs'> & {
  readonly trace?: CheckTrace | undefined;
  /** What made the check fail. */
  readonly cause?: unknown;
  readonly isKept?: boolean | undefined;
};
type Outcome = Decided & { readonly answer: CheckAnswer };

async function answerCheck(
  authorization: Authorization,
  bytes: Uint8Array,
  { budgetMs, timeoutMs, carried, startedMs }: Call,
): Promise<Outcome> {
  const timeMs = authorization.now();
  const policy = authorization.policy();
  const { asked, request } = readSafely(authorization, policy, bytes);
  watchSafely(authorization, { asked, request, policy, timeoutMs });
  const { headers } = asked;
  const trace = authorization.trace && traceSafely(authorization, { carried, headers, startedMs });
  const judged = { policy, timeMs, trace };
  const { decision, cause } = await decide(authorization, { ...judged, request }, budgetMs);
  try {
    return writeAnswer({ ...judged, request, decision, cause });
  } catch (cause) {
    reportSafely(authorization, cause, trace);
    const unread = readCheck(NO_QUESTION, policy, { byteLength: 0, hostAddresses: new Set() });
    const decision = deny('shell', 'internal');
    return writeAnswer({ ...judged, request: unread, decision, cause });
  }
}

/** The decision of `check`, within the budget; where a port or `check` itself fails it is a refusal, with its cause. */
async function decide(
  authorization: Authorization,
  { policy, request, timeMs, trace }: Omit<Decided, 'decision' | 'cause'>,
  budgetMs: number,
): Promise<Pick<Decided, 'decision' | 'cause'>> {
  try {
    const within = portsWithin(authorization.ports, budgetMs);
    const ports = trace?.recording ? trace.recording.ports(within) : within;
    return { decision: await check(ports, policy, request, timeMs) };
  } catch (cause) {
    reportSafely(authorization, cause, trace);
    const reason = cause instanceof PortFailure ? 'unavailable' : 'internal';
    return { decision: deny('shell', reason), cause };
  }
}

function writeAnswer(decided: Decided): Outcome {
  const { policy, request, decision, timeMs, trace } = decided;
  const facts = decisionFacts(policy, decision);
  const context = { facts, nowMs: timeMs, traceId: trace?.traceId };
  return { ...decided, answer: writeDecision(policy, request, decision, context) };
}

/** Reads a message; one that is no CheckRequest becomes a request that is refused as malformed. */
function readSafely(
  authorization: Authorization,
  policy: Policy,
  bytes: Uint8Array,
): Pick<Sight, 'asked' | 'request'> {
  const { hostAddresses } = authorization;
  const wire = { byteLength: bytes.byteLength, hostAddresses };
  try {
    const asked = decodeCheck(bytes);
    return { asked, request: readCheck(asked, policy, wire) };
  } catch (cause) {
    reportSafely(authorization, cause);
    return { asked: NO_QUESTION, request: readCheck(NO_QUESTION, policy, wire) };
  }
}

function watchSafely(authorization: Authorization, sight: Sight): void {
  try {
    authorization.watch?.(sight);
  } catch (cause) {
    reportSafely(authorization, cause);
  }
}

/** A check whose trace cannot be found is a check without one. */
function traceSafely(
  authorization: Authorization,
  question: TraceQuestion,
): CheckTrace | undefined {
  try {
    return authorization.trace?.(question);
  } catch (cause) {
    reportSafely(authorization, cause);
    return undefined;
  }
}

/** Waits until a check is recorded. One that cannot be is refused, and what it took is given back. */
async function keepSafely(
  authorization: Authorization,
  answered: Outcome,
  { budgetMs, startedMs }: Call,
): Promise<Outcome> {
  const tookMs = performance.now() - startedMs;
  try {
    const keeping = authorization.keep?.(recordOf(answered, tookMs), budgetMs - tookMs);
    const isKept = await keeping;
    if (isKept !== false) return { ...answered, isKept };
  } catch (cause) {
    reportSafely(authorization, cause, answered.trace);
  }
  const { decision } = answered;
  const { settleLimits } = authorization.ports;
  if (decision.taken && settleLimits) void giveBack(settleLimits, decision.taken);
  const refusal = deny('shell', 'unavailable', { detail: 'its audit event cannot be recorded' });
  return writeAnswer({ ...answered, decision: { ...decision, ...refusal, taken: undefined } });
}

function recordOf(answered: Outcome, tookMs: number): Answered {
  const { policy, request, decision, timeMs, trace, isKept } = answered;
  const { facts } = answered.answer;
  const record = { policy, request, decision, facts, timeMs, tookMs, isKept };
  return trace ? { ...record, ...idsOf(trace) } : record;
}

function recordSafely(authorization: Authorization, answered: Outcome, tookMs: number): void {
  const { trace } = answered;
  try {
    authorization.record(recordOf(answered, tookMs));
  } catch (cause) {
    reportSafely(authorization, cause, trace);
  }
}

function idsOf({ traceId, recording }: CheckTrace): Pick<Answered, 'traceId' | 'spanId'> {
  return { traceId, spanId: recording?.spanId };
}

function endSafely(authorization: Authorization, answered: Outcome, endedMs: number): void {
  const { request, cause, answer, trace } = answered;
  try {
    trace?.recording?.end({ request, facts: answer.facts, endedMs, cause });
  } catch (cause) {
    reportSafely(authorization, cause, trace);
  }
}

/** A listener that fails has nobody left to tell, and must not cost the answer. */
function reportSafely({ onFailure }: Authorization, cause: unknown, trace?: CheckTrace): void {
  try {
    onFailure(cause, trace?.traceId);
  } catch {}
}
