import type { Trip } from '../../store.ts';
import type { Errand } from './errand.ts';
import { type Call, RedisDown, ScriptFailure } from './link.ts';
import type { RedisNode } from './node.ts';
import { callFailure, readFault } from './redis-error.ts';
import type { Router } from './router.ts';

const MOST_HOPS = 5;
const TRY_AGAIN_MS = 4;
/** Who waits less than this may not say that a node is sick. */
const FAIR_MS = 20;
/** A verdict that comes so much after its time says that this process is busy, and nothing of the node. */
const HELD_UP_MS = 15;

export type RunOptions = {
  readonly router: () => Router | undefined;
  readonly onTrip?: ((trip: Trip) => void) | undefined;
  readonly onFailure: (cause: Error) => void;
};

/** Where a call is, while it is under way. */
type Way = { node: RedisNode | undefined; isOver: boolean };

/** Makes the function that runs calls of a lane: on the node that has the keys, as long as there is time. */
export function createRun(
  options: RunOptions,
  lane: Errand['lane'],
): (call: Call) => Promise<unknown> {
  return (call) => {
    const startMs = performance.now();
    const way: Way = { node: undefined, isOver: false };
    const errand = { call, lane, dueAtMs: startMs + call.withinMs };
    const end = (outcome: Trip['outcome']) => {
      way.isOver = true;
      const tookMs = performance.now() - startMs;
      if (way.node) options.onTrip?.({ operation: call.script.name, outcome, tookMs });
    };
    const late = () => {
      const isHeldUp = performance.now() - errand.dueAtMs > HELD_UP_MS;
      if (lane === 'hot' && call.withinMs >= FAIR_MS && !isHeldUp) way.node?.wasLate();
      end('late');
      return new RedisDown(`${whereOf(way)} did not answer the script ${call.script.name} in time`);
    };
    return new Promise((resolve, reject) => {
      // What came while the event loop was held up is read before the verdict.
      const timer = setTimeout(() => {
        setImmediate(() => way.isOver || reject(late()));
      }, call.withinMs);
      const answered = (reply: unknown) => {
        if (way.isOver) return call.onLate?.(reply);
        clearTimeout(timer);
        resolve(reply);
        end('ok');
      };
      const failed = (cause: unknown) => {
        if (way.isOver) return;
        clearTimeout(timer);
        const failure = callFailure(cause, whereOf(way), call.script.name);
        reject(failure);
        end(failure instanceof ScriptFailure ? 'failed' : 'down');
      };
      follow(errand, way, options.router()).then(answered, failed).catch(options.onFailure);
    });
  };
}

function whereOf({ node }: Way): string {
  return node ? `Redis at ${node.name()}` : 'Redis';
}

async function follow(errand: Errand, way: Way, router: Router | undefined): Promise<unknown> {
  if (!router) throw new RedisDown('the connections to Redis are closed');
  let hop = first(errand.call, router);
  for (let left = MOST_HOPS; ; left -= 1) {
    try {
      return await ask(hop, errand, way);
    } catch (cause) {
      const next = left > 0 ? await redirected(cause, errand.call, router) : undefined;
      if (!next || way.isOver) throw cause;
      hop = next;
    }
  }
}

async function ask({ node, isAsked }: Hop, errand: Errand, way: Way): Promise<unknown> {
  if (node.isComing()) await node.ready();
  if (way.isOver) throw new RedisDown('no time is left');
  const isSent = errand.lane === 'aside' ? node.aside.isUp() : node.isUp();
  if (isSent) way.node = node;
  return await node.ask(errand, isAsked);
}

type Hop = { readonly node: RedisNode; readonly isAsked: boolean };

function first({ keys }: Call, router: Router): Hop {
  const node = router.nodeOf(keys[0] ?? '');
  if (!node) throw new RedisDown('no node of the Cluster serves the slot');
  return { node, isAsked: false };
}

/** Where to ask next, undefined for nowhere: a command that was sent elsewhere was not run. */
async function redirected(cause: unknown, call: Call, router: Router): Promise<Hop | undefined> {
  const fault = readFault(cause);
  if (fault?.kind === 'moved') return hopTo(router.moved(fault.slot, fault.address), false);
  if (fault?.kind === 'ask') return hopTo(router.nodeAt(fault.address), true);
  if (fault?.kind !== 'try_again') return undefined;
  await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
  return first(call, router);
}

function hopTo(node: RedisNode | undefined, isAsked: boolean): Hop | undefined {
  return node && { node, isAsked };
}
