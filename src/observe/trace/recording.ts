import {
  type Attributes,
  type Context,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { DecisionFacts } from '../../core/audit.ts';
import { type Answer, type Ports, wrapPorts } from '../../core/ports.ts';
import type { Recording, TraceEnd } from '../../core/trace.ts';
import type { EpochTime } from './clock.ts';
import { errorType } from './error-type.ts';

/** What recordings are made with. */
export type RecordingWorld = {
  readonly tracer: Tracer;
  readonly epochTime: (monotonicMs: number) => EpochTime;
  /** The monotonic clock, milliseconds. */
  readonly now: () => number;
  /** Whether so many spans may be handed over; asked once for each check. */
  readonly admits: (spans: number) => boolean;
};

/** A call of a port that came to its end. */
type Part = {
  readonly name: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly failure?: { readonly cause: unknown } | undefined;
};

/** The spans below a check, by the port that each is a call of. */
export const PART_NAMES: { readonly [port in keyof Ports]: string | undefined } = {
  findKey: 'find_key',
  findOwner: 'find_owner',
  findRoles: 'find_roles',
  findWorkspace: 'find_workspace',
  verifyToken: 'verify_token',
  takeLimits: 'take_limits',
  // Gives back what was taken for a check that has its answer already.
  settleLimits: undefined,
};

const RPC = {
  'rpc.system': 'grpc',
  'rpc.service': 'envoy.service.auth.v3.Authorization',
  'rpc.method': 'Check',
};
/** Facts of a decision that name what stands in the policy, and nobody. */
const FACT_ATTRIBUTES: readonly (readonly [fact: string, attribute: string])[] = [
  ['route', 'http.route'],
  ['decision', 'postern.decision'],
  ['reason', 'postern.reason'],
  ['method', 'postern.method'],
  ['plan', 'postern.plan'],
  ['policy', 'postern.policy'],
];
/** What semantic conventions let stand as it came; a client could send anything else, a key too. */
const METHODS = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
]);
const OTHER_METHOD = '_OTHER';
/** Refusals that are failures of Postern, not of who asked. */
const FAILURES: ReadonlySet<string | undefined> = new Set(['unavailable', 'internal']);

/**
 * Records a check whose span is begun. Calls of ports are noted while the check runs, and become spans when it has
 * ended: then all of them are handed over, or none.
 */
export function recordCheck(world: RecordingWorld, span: Span, parent: Context): Recording {
  const parts: Part[] = [];
  return {
    spanId: span.spanContext().spanId,
    ports: (ports) =>
      wrapPorts(ports, (name, port) => {
        const partName = PART_NAMES[name];
        return partName === undefined ? port : noting(parts, partName, world.now, port);
      }),
    end: (end) => {
      if (!world.admits(parts.length + 1)) return;
      const context = trace.setSpan(parent, span);
      for (const part of parts) writePart(world, part, context);
      span.setAttributes(attributesOf(end));
      if (FAILURES.has(end.facts['reason'])) fail(span, end.cause);
      span.end(world.epochTime(end.endedMs));
    },
  };
}

/** The same port, each of whose calls is noted when it has its answer, or none. */
function noting<A extends readonly unknown[], T>(
  parts: Part[],
  name: string,
  now: () => number,
  port: (...args: A) => Answer<T>,
): (...args: A) => Answer<T> {
  return (...args) => {
    const startedMs = now();
    const note = (failure?: Part['failure']) =>
      parts.push({ name, startedMs, endedMs: now(), failure });
    const failed = (cause: unknown): never => {
      note({ cause });
      throw cause;
    };
    const came = (value: T) => {
      note();
      return value;
    };
    let answer: Answer<T>;
    try {
      answer = port(...args);
    } catch (cause) {
      return failed(cause);
    }
    return answer instanceof Promise ? answer.then(came, failed) : came(answer);
  };
}

function writePart({ tracer, epochTime }: RecordingWorld, part: Part, context: Context): void {
  const span = tracer.startSpan(part.name, { startTime: epochTime(part.startedMs) }, context);
  if (part.failure) fail(span, part.failure.cause);
  span.end(epochTime(part.endedMs));
}

/** Why it failed is told by its kind alone: a message could hold what somebody sent. */
function fail(span: Span, cause: unknown): void {
  span.setAttribute('error.type', errorType(cause));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function attributesOf({ request, facts }: TraceEnd): Attributes {
  const method = METHODS.has(request.method) ? request.method : OTHER_METHOD;
  return { ...RPC, 'http.request.method': method, ...factAttributes(facts) };
}

function factAttributes(facts: DecisionFacts): Attributes {
  const attributes: Attributes = {};
  for (const [fact, attribute] of FACT_ATTRIBUTES) {
    const value = facts[fact];
    if (value !== undefined) attributes[attribute] = value;
  }
  return attributes;
}
