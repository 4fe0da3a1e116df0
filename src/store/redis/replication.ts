import { inTime } from './in-time.ts';
import type { RedisNode } from './node.ts';

/** How long it is believed that a node has replicas, or none. */
const BELIEVED_MS = 5000;
const INFO_WITHIN_MS = 1000;

/** Makes the function that waits until the last writes of a node's records are on a replica, where it has one. */
export function createReplication(
  nodeOfRecords: () => RedisNode | undefined,
): (withinMs: number) => Promise<boolean> {
  let known: { node: RedisNode; hasReplicas: boolean; atMs: number } | undefined;

  const hasReplicas = async (node: RedisNode): Promise<boolean> => {
    if (known?.node === node && performance.now() - known.atMs < BELIEVED_MS)
      return known.hasReplicas;
    const info = String(await inTime(node.aside.send('info', ['replication']), INFO_WITHIN_MS));
    const answer = /^slave\d+:.*state=online/m.test(info);
    known = { node, hasReplicas: answer, atMs: performance.now() };
    return answer;
  };
  return async (withinMs) => {
    const node = nodeOfRecords();
    if (!node) return false;
    try {
      if (!(await hasReplicas(node))) return true;
      const wait = node.aside.send('wait', [1, Math.max(1, Math.ceil(withinMs))]);
      return Number(await inTime(wait, withinMs + INFO_WITHIN_MS)) > 0;
    } catch {
      return false;
    }
  };
}
