import type { Taken } from '../core/limit.ts';
import {
  type Answer,
  PortFailure,
  type Ports,
  type SettleLimits,
  type TakeLimits,
  wrapPorts,
} from '../core/ports.ts';

/**
 * The same ports, whose answers must come within `budgetMs` from now, all together: a late answer is a
 * failure, and limits that are taken too late are given back. A port that has its answer at hand costs no timer.
 */
export function portsWithin(ports: Ports, budgetMs: number): Ports {
  const startedMs = performance.now();
  const soon = <T>(answer: Answer<T>, onLate?: (value: T) => void): Answer<T> => {
    if (!(answer instanceof Promise)) return answer;
    return inTime(answer, budgetMs - (performance.now() - startedMs), onLate);
  };
  const within = wrapPorts(
    ports,
    (_name, port) =>
      (...args) =>
        soon(port(...args)),
  );
  const { settleLimits } = ports;
  if (!settleLimits) return within;
  const onLate = (taken: Taken) => void giveBack(settleLimits, taken);
  const takeLimits: TakeLimits = (...args) => soon(ports.takeLimits(...args), onLate);
  return { ...within, takeLimits, settleLimits };
}

async function inTime<T>(
  answer: Promise<T>,
  restMs: number,
  onLate?: (value: T) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => {
      // The answer stands out: had it come, this timer would be gone.
      if (onLate) answer.then(onLate, () => {});
      reject(new PortFailure('a port did not answer in time'));
    };
    timer = setTimeout(fail, Math.max(0, restMs));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Gives back what was taken for a request that nobody lets pass; where that fails, one request stays charged. */
export async function giveBack(settleLimits: SettleLimits, { receipt }: Taken): Promise<void> {
  if (!receipt) return;
  try {
    await settleLimits(receipt, 0);
  } catch {}
}
