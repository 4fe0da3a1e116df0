import { expect } from 'vitest';
import { mutationFor } from '../../src/core/upstream.ts';
import { decide, type PolicySpec, policy, type RequestSpec, request } from './build.ts';

/** What upstream gets of a request that is allowed: headers set by name, and names removed. */
export async function upstreamOf(spec: PolicySpec, asked: RequestSpec) {
  const judged = policy(spec);
  const decision = await decide(judged, asked);
  if (decision.kind !== 'allow') throw new Error(`not allowed: ${JSON.stringify(decision)}`);
  const { set, remove } = mutationFor(judged, request(asked), decision);
  expect(new Set(set.map(([name]) => name)).size).toBe(set.length);
  expect(remove.filter((name) => set.some(([other]) => other === name))).toEqual([]);
  return { set: Object.fromEntries(set), remove: new Set(remove) };
}
