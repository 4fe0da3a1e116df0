import { type Cluster, Redis } from 'ioredis';
import { createKeyspace, type Keyspace } from '../../../src/store/redis/keyspace.ts';
import { type Call, RedisDown, type RedisLink } from '../../../src/store/redis/link/link.ts';
import { newNamespace } from '../../redis-harness/shared.ts';

/** A connection that does what limits ask of a link, and can hold up what goes and what comes. */
export type LimitLink = {
  readonly link: RedisLink;
  readonly keyspace: Keyspace;
  /** Runs before a call is sent, and before its answer is handed on; to begin with nothing is held up. */
  held: {
    readonly call?: (call: Call) => Promise<void>;
    readonly answer?: (call: Call) => Promise<void>;
  };
};

/** Calls keep their deadline by the clock of this machine, which is that of Redis too. */
export function openLimitLink(client: Redis | Cluster): LimitLink {
  const ask = async (call: Call): Promise<unknown> => {
    const { script, keys, timed } = call;
    const deadlineMs = Date.now() + call.withinMs;
    const args = timed ? call.args.with(timed.deadlineArg, deadlineMs) : call.args;
    await here.held.call?.(call);
    const reply = await client
      .evalsha(script.sha, keys.length, ...keys, ...args)
      .catch((cause: Error) => {
        if (!cause.message.startsWith('NOSCRIPT')) throw cause;
        return client.eval(script.text, keys.length, ...keys, ...args);
      });
    await here.held.answer?.(call);
    return reply;
  };
  const run = (call: Call): Promise<unknown> =>
    new Promise((resolve, reject) => {
      let isOver = false;
      const timer = setTimeout(() => {
        isOver = true;
        reject(new RedisDown('no answer in time'));
      }, call.withinMs);
      const end = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      ask(call).then(
        (reply) => end(() => (isOver ? call.onLate?.(reply) : resolve(reply))),
        (cause) => end(() => reject(cause)),
      );
    });
  const link: RedisLink = {
    run,
    runAside: run,
    redisNowMs: () => undefined,
    subscribe: async () => undefined,
    isCluster: !(client instanceof Redis),
    isReplicated: async () => true,
    nodes: () => [],
    close: async () => undefined,
  };
  const here: LimitLink = { link, keyspace: createKeyspace(newNamespace()), held: {} };
  return here;
}
