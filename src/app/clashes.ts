import type { Policy } from '../core/policy.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { Logger } from '../observe/log.ts';
import type { Store } from '../store/store.ts';

/** Keeps a policy and its store from having the same names. */
export type ClashGuard = {
  /**
   * The clashes of a policy, as problems. A store elsewhere that does not answer stops neither a start nor a reload:
   * there are none then, and `catchUp` looks again. Rejects where a store in this process fails.
   */
  readonly judge: (policy: Policy) => Promise<readonly string[]>;
  /** Looks for what could not be looked for, once the store answers; what is found so late is logged as an error. */
  readonly catchUp: () => Promise<void>;
};

export type ClashSources = {
  readonly store: Pick<RecordStore, 'existing'> & Pick<Store, 'health'>;
  /** Whether the store is another process, which may be away. */
  readonly isRemote: boolean;
  /** The policy in force. */
  readonly policy: () => Policy;
  readonly log: Pick<Logger, 'error'>;
};

/** Makes the guard. */
export function createClashGuard({ store, isRemote, policy, log }: ClashSources): ClashGuard {
  let owed: 'nothing' | 'a look' | 'being looked at' = 'nothing';
  const judge = async (judged: Policy): Promise<readonly string[]> => {
    try {
      if (store.health().isUp) return await findClashes(store, judged);
    } catch (cause) {
      if (!isRemote) throw cause;
    }
    owed = 'a look';
    return [];
  };
  const catchUp = async () => {
    if (owed !== 'a look') return;
    owed = 'being looked at';
    for (const clash of await judge(policy()))
      log.error(`found now that the store answers: ${clash}`);
    if (owed === 'being looked at') owed = 'nothing';
  };
  return { judge, catchUp };
}

/** Names that both the policy and the store have, as problems: neither may hide the other. */
export async function findClashes(
  store: Pick<RecordStore, 'existing'>,
  { written }: Pick<Policy, 'written'>,
): Promise<readonly string[]> {
  const keys = await store.existing('key', [...written.keys.keys()]);
  const workspaces = await store.existing('workspace', [...written.workspaces.keys()]);
  const tell = (place: string, noun: string) => (id: string) =>
    `${place}: the id ${JSON.stringify(id)} is also that of a ${noun} in the store; rename or remove one`;
  return [
    ...keys.map(tell('api_keys.declared', 'key')),
    ...workspaces.map(tell('workspaces', 'workspace')),
  ];
}
