import type { DecisionFacts } from './audit.ts';
import type { Ports } from './ports.ts';
import type { Headers, Request } from './request.ts';

/** What a check knows of the trace that it stands in, before anything is judged. */
export type TraceQuestion = {
  /** `traceparent` as Envoy itself sent it with its question; empty when it sent none. */
  readonly carried: readonly string[];
  /** The headers of the request that is asked about. */
  readonly headers: Headers;
  /** When the message came, on the monotonic clock, milliseconds. */
  readonly startedMs: number;
};

/** How a check ended: `cause` is what made it fail, where it did. */
export type TraceEnd = {
  readonly request: Pick<Request, 'method'>;
  readonly facts: DecisionFacts;
  /** On the monotonic clock, milliseconds. */
  readonly endedMs: number;
  readonly cause?: unknown;
};

/** What records one check. */
export type Recording = {
  /** Id of the check's span: 16 hexadecimal digits. */
  readonly spanId: string;
  /** The same ports, whose calls are recorded as parts of this check. */
  readonly ports: (ports: Ports) => Ports;
  readonly end: (end: TraceEnd) => void;
};

/** The trace of one check; a trace that nobody samples has an id, and no recording. */
export type CheckTrace = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  readonly recording?: Recording | undefined;
};

/** Finds the trace of a check, or begins one; undefined where there is none to speak of. */
export type TraceCheck = (question: TraceQuestion) => CheckTrace | undefined;
