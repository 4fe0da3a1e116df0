import { type DecisionFacts, decisionFacts } from '../core/audit.ts';
import { check } from '../core/check.ts';
import { type Decision, deny } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import { PortFailure, type Ports } from '../core/ports.ts';
import type { Request } from '../core/request.ts';
import type { CheckMessage, Protocol } from './protocol.ts';
import { readCheck } from './read.ts';
import { type CheckAnswer, writeDecision } from './write.ts';

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
  readonly protocol: Protocol;
  readonly ports: Ports;
  /** The policy of this moment; one check uses one policy from beginning to end. */
  readonly policy: () => Policy;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  readonly hostAddresses: ReadonlySet<string>;
  /** Never awaited; buffered by whoever listens. */
  readonly record: (record: CheckRecord) => void;
  /** A bug or a failed port; never thrown further. */
  readonly onFailure: (cause: unknown) => void;
};

/** Answers one CheckRequest, encoded to encoded, within `budgetMs`. Never rejects. */
export type HandleCheck = (bytes: Uint8Array, budgetMs: number) => Promise<Uint8Array>;

/** The full name of Envoy's service (external_auth.proto). */
export const CHECK_SERVICE = 'envoy.service.auth.v3.Authorization';

/** What a message becomes that cannot be decoded at all. */
const UNREADABLE: CheckMessage = {};

/** Makes the one place that catches: whatever goes wrong below, the answer is an explicit deny. */
export function createHandleCheck(authorization: Authorization): HandleCheck {
  const { protocol, ports, now, onFailure } = authorization;
  const encode = (answer: CheckAnswer) => protocol.checkResponse.encode(answer).finish();
  return async (bytes, budgetMs) => {
    const startedMs = performance.now();
    const nowMs = now();
    const policy = authorization.policy();
    let request = readSafely(authorization, policy, bytes);
    let decision: Decision;
    try {
      decision = await inTime(check(ports, policy, request, nowMs), budgetMs);
    } catch (cause) {
      onFailure(cause);
      decision = deny('shell', cause instanceof PortFailure ? 'unavailable' : 'internal');
    }
    let answer: CheckAnswer;
    let facts = decisionFacts(policy, decision);
    try {
      answer = writeDecision(policy, request, decision, { facts, nowMs });
    } catch (cause) {
      onFailure(cause);
      request = readCheck(UNREADABLE, policy, { byteLength: 0, hostAddresses: new Set() });
      decision = deny('shell', 'internal');
      facts = decisionFacts(policy, decision);
      answer = writeDecision(policy, request, decision, { facts, nowMs });
    }
    const tookMs = performance.now() - startedMs;
    recordSafely(authorization, { policy, request, decision, facts, timeMs: nowMs, tookMs });
    return encode(answer);
  };
}

/** Reads a message; one that is no CheckRequest becomes a request that is refused as malformed. */
function readSafely(authorization: Authorization, policy: Policy, bytes: Uint8Array): Request {
  const { protocol, hostAddresses, onFailure } = authorization;
  const wire = { byteLength: bytes.byteLength, hostAddresses };
  try {
    const message = protocol.checkRequest.decode(bytes) as CheckMessage;
    return readCheck(message, policy, wire);
  } catch (cause) {
    onFailure(cause);
    return readCheck(UNREADABLE, policy, wire);
  }
}

/** The decision, or a failure when it is not there in time: a late decision is no decision. */
async function inTime(decision: Promise<Decision>, budgetMs: number): Promise<Decision> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new PortFailure(`no decision within ${Math.round(budgetMs)} ms`));
    timer = setTimeout(fail, Math.max(0, budgetMs));
  });
  try {
    return await Promise.race([decision, late]);
  } finally {
    clearTimeout(timer);
  }
}

function recordSafely(authorization: Authorization, record: CheckRecord): void {
  try {
    authorization.record(record);
  } catch (cause) {
    authorization.onFailure(cause);
  }
}
