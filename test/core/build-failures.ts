import { check } from '../../src/core/check.ts';
import type { Decision } from '../../src/core/decision.ts';
import type { Policy } from '../../src/core/policy.ts';
import type { Ports } from '../../src/core/ports.ts';
import { failureBook, NOW, outcome, ports, type RequestSpec, request } from './build.ts';

/** One process: its ports and its memory of failures. */
export function failureGate(more: Partial<Ports> = {}) {
  const calls: string[] = [];
  const sound = ports({ failures: failureBook(), ...more });
  const heard: Ports = {
    ...sound,
    findKey: (hash) => {
      calls.push('findKey');
      return sound.findKey(hash);
    },
    takeLimits: (groups, nowMs) => {
      calls.push('takeLimits');
      return sound.takeLimits(groups, nowMs);
    },
  };
  const ask = (judged: Policy, asked: RequestSpec = {}, nowMs = NOW) =>
    check(heard, judged, request(asked), nowMs);
  return {
    ask,
    /** What was asked of the store, in order. */
    calls,
    /** What is said to the same request, so many times in turn. */
    outcomes: async (judged: Policy, asked: RequestSpec, times: number) => {
      const found: string[] = [];
      for (let at = 0; at < times; at += 1) found.push(outcome(await ask(judged, asked)));
      return found;
    },
  };
}

/** How often each outcome came. */
export function tally(decisions: readonly Decision[]): { [outcome: string]: number } {
  const counts: { [outcome: string]: number } = {};
  for (const one of decisions) counts[outcome(one)] = (counts[outcome(one)] ?? 0) + 1;
  return counts;
}
