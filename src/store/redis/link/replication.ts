import { inTime } from './in-time.ts';
import type { RedisNode } from './node.ts';

/** How long it is believed that a node has replicas, or none. */
const BELIEVED_MS = 5000;
const INFO_WITHIN_MS = 1000;
/** How long a replica is waited for that did not confirm the last time. */
const AGAIN_WITHIN_MS = 20;

/**
 * Makes the function that waits until the last writes of a node's records are on a replica, where it has one. Redis does
 * nothing else on a connection that waits: so one wait serves all who asked before it began, and after one that failed
 * the next are short.
 */
export function createReplication(
  nodeOfRecords: () => RedisNode | undefined,
): (withinMs: number) => Promise<boolean> {
  const ask = createAsk(nodeOfRecords);
  let wasConfirmed = true;
  let running: Promise<boolean> | undefined;
  let next: Promise<boolean> | undefined;

  const start = async (withinMs: number): Promise<boolean> => {
    next = undefined;
    running = ask(wasConfirmed ? withinMs : AGAIN_WITHIN_MS).catch(() => false);
    wasConfirmed = await running;
    running = undefined;
    return wasConfirmed;
  };
  return (withinMs) => {
    if (!running) return start(withinMs);
    next ??= running.then(() => start(withinMs));
    return next;
  };
}

function createAsk(nodeOfRecords: () => RedisNode | undefined) {
  let known: { node: RedisNode; hasReplicas: boolean; atMs: number } | undefined;

  const hasReplicas = async (node: RedisNode): Promise<boolean> => {
    if (known?.node === node && performance.now() - known.atMs < BELIEVED_MS)
      return known.hasReplicas;
    const info = String(await inTime(node.aside.send('info', ['replication']), INFO_WITHIN_MS));
    const answer = /^slave\d+:.*state=online/m.test(info);
    known = { node, hasReplicas: answer, atMs: performance.now() };
    return answer;
  };
  return async (withinMs: number): Promise<boolean> => {
    const node = nodeOfRecords();
    if (!node) return false;
    if (!(await hasReplicas(node))) return true;
    const wait = node.aside.send('wait', [1, Math.max(1, Math.ceil(withinMs))]);
    return Number(await inTime(wait, withinMs + INFO_WITHIN_MS)) > 0;
  };
}
