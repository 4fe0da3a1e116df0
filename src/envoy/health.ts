import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import { CHECK_SERVICE } from './authorization.ts';

type HealthStatus = 'SERVING' | 'NOT_SERVING';
type HealthQuestion = { readonly service: string };
type HealthMessage = { readonly status: number };

const CODES = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

/** The health service (grpc.health.v1) and the switch that a drain turns. */
export type Health = {
  readonly check: handleUnaryCall<HealthQuestion, HealthMessage>;
  readonly watch: handleServerStreamingCall<HealthQuestion, HealthMessage>;
  readonly set: (next: HealthStatus) => void;
  /** Ends the streams of watchers, which would keep the server from closing. */
  readonly end: () => void;
};

/** Answers for the whole server (`''`), for the Check service and for the health service itself. */
export function createHealth(): Health {
  let current: HealthStatus = 'SERVING';
  const watchers = new Set<ServerWritableStream<HealthQuestion, HealthMessage>>();
  const known = new Set(['', CHECK_SERVICE, 'grpc.health.v1.Health']);
  return {
    set(next) {
      current = next;
      for (const call of watchers) call.write({ status: CODES[next] });
    },
    end() {
      for (const call of watchers) call.end();
      watchers.clear();
    },
    check(call, answer) {
      if (known.has(call.request.service)) answer(null, { status: CODES[current] });
      else answer({ code: status.NOT_FOUND, details: 'unknown service' });
    },
    watch(call) {
      const isKnown = known.has(call.request.service);
      call.write({ status: isKnown ? CODES[current] : CODES.SERVICE_UNKNOWN });
      if (isKnown) watchers.add(call);
      call.on('cancelled', () => {
        watchers.delete(call);
        call.end();
      });
    },
  };
}
