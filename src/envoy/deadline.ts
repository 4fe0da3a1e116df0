import { type Answer, PortFailure, type Ports, wrapPorts } from '../core/ports.ts';

/**
 * The same ports, whose answers must come within `budgetMs` from now, all together: a late answer is a
 * failure. A port that has its answer at hand costs no timer.
 */
export function portsWithin(ports: Ports, budgetMs: number): Ports {
  const startedMs = performance.now();
  const soon = <T>(answer: Answer<T>): Answer<T> =>
    answer instanceof Promise ? inTime(answer, budgetMs - (performance.now() - startedMs)) : answer;
  return wrapPorts(
    ports,
    (_name, port) =>
      (...args) =>
        soon(port(...args)),
  );
}

async function inTime<T>(answer: Promise<T>, restMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new PortFailure('a port did not answer in time'));
    timer = setTimeout(fail, Math.max(0, restMs));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
