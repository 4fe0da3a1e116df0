import { randomUUID } from 'node:crypto';
import { type DecisionFacts, decisionFacts } from '../core/audit.ts';
import { check } from '../core/check.ts';
import { type Decision, deny } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import { PortFailure, type Ports } from '../core/ports.ts';
import type { Request } from '../core/request.ts';
import { portsWithin } from './deadline.ts';
import { decodeCheck, NO_QUESTION } from './decode.ts';
import { createEncoder } from './encode.ts';
import { readCheck } from './read.ts';
import type { Sight, WatchWiring } from './wiring.ts';
import { type CheckAnswer, writeDecision, writeLastResort } from './write.ts';

/** One answered check, for metrics and audit. */
export type CheckRecord = {
  readonly policy: Policy;
  readonly request: Request;
  readonly decision: Decision;
  readonly facts: DecisionFacts;
  readonly timeMs: number;
  readonly tookMs: number;
};

/** What a check needs besides its message. */
export type Authorization = {
  readonly ports: Ports;
  /** The policy of this moment; one check uses one policy from beginning to end. */
  readonly policy: () => Policy;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  readonly hostAddresses: ReadonlySet<string>;
  /** Never awaited; buffered by whoever listens. */
  readonly record: (record: CheckRecord) => void;
  /** Looks at every question for what is wrong with the wiring around it. */
  readonly watch?: WatchWiring | undefined;
  /** A bug or a failed port; never thrown further. */
  readonly onFailure: (cause: unknown) => void;
};

/**
 * Answers one CheckRequest, encoded to encoded, within `budgetMs`. `timeoutMs` is how long Envoy waits: infinite where
 * it sets no deadline, NaN where that is not known. Never rejects.
 */
export type HandleCheck = (
  bytes: Uint8Array,
  budgetMs: number,
  timeoutMs?: number,
) => Promise<Uint8Array>;

/** The full name of Envoy's service (external_auth.proto). */
export const CHECK_SERVICE = 'envoy.service.auth.v3.Authorization';

/** Makes the one place that catches: whatever goes wrong below, the answer is an explicit deny. */
export function createHandleCheck(authorization: Authorization): HandleCheck {
  const encode = createEncoder();
  return async (bytes, budgetMs, timeoutMs = Number.NaN) => {
    const startedMs = performance.now();
    try {
      const answered = await answerCheck(authorization, bytes, { budgetMs, timeoutMs });
      const encoded = encode(answered.answer);
      recordSafely(authorization, answered, performance.now() - startedMs);
      return encoded;
    } catch (cause) {
      reportSafely(authorization, cause);
      return encode(writeLastResort(randomUUID()));
    }
  };
}

type Decided = Omit<CheckRecord, 'tookMs' | 'facts'>;
type Answered = { readonly answer: CheckAnswer; readonly decided: Decided };

async function answerCheck(
  authorization: Authorization,
  bytes: Uint8Array,
  { budgetMs, timeoutMs }: { readonly budgetMs: number; readonly timeoutMs: number },
): Promise<Answered> {
  const timeMs = authorization.now();
  const policy = authorization.policy();
  const { asked, request } = readSafely(authorization, policy, bytes);
  watchSafely(authorization, { asked, request, policy, timeoutMs });
  let decision: Decision;
  try {
    const ports = portsWithin(authorization.ports, budgetMs);
    decision = await check(ports, policy, request, timeMs);
  } catch (cause) {
    reportSafely(authorization, cause);
    decision = deny('shell', cause instanceof PortFailure ? 'unavailable' : 'internal');
  }
  try {
    return writeAnswer({ policy, request, decision, timeMs });
  } catch (cause) {
    reportSafely(authorization, cause);
    const unread = readCheck(NO_QUESTION, policy, { byteLength: 0, hostAddresses: new Set() });
    return writeAnswer({ policy, request: unread, decision: deny('shell', 'internal'), timeMs });
  }
}

function writeAnswer(decided: Decided): Answered {
  const { policy, request, decision, timeMs } = decided;
  const facts = decisionFacts(policy, decision);
  return { answer: writeDecision(policy, request, decision, { facts, nowMs: timeMs }), decided };
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

function recordSafely(authorization: Authorization, answered: Answered, tookMs: number): void {
  const { policy, request, decision, timeMs } = answered.decided;
  const { facts } = answered.answer;
  try {
    authorization.record({ policy, request, decision, facts, timeMs, tookMs });
  } catch (cause) {
    reportSafely(authorization, cause);
  }
}

/** A listener that fails has nobody left to tell, and must not cost the answer. */
function reportSafely({ onFailure }: Authorization, cause: unknown): void {
  try {
    onFailure(cause);
  } catch {}
}
