import { sees } from '../core/actor.ts';
import type { KeyRecord } from '../core/key-record.ts';
import type { ListedKey } from '../core/record-store.ts';
import { type Fault, fault } from './fault.ts';
import type { Call } from './row.ts';

export type FoundKey =
  | { readonly kind: 'declared'; readonly record: KeyRecord }
  | { readonly kind: 'stored'; readonly listed: ListedKey };

/** The key that a path names, declared or stored; what the actor does not see does not exist for it. */
export async function findKey({
  parts,
  policy,
  actor,
  params,
}: Pick<Call, 'parts' | 'policy' | 'actor' | 'params'>): Promise<FoundKey | Fault> {
  const id = params['id'] ?? '';
  const declared = policy.written.keys.get(id);
  if (declared) {
    return sees(actor, declared.workspace)
      ? { kind: 'declared', record: declared }
      : fault('not_found');
  }
  const listed = await parts.store.getKey(id);
  if (!listed || !sees(actor, listed.record.workspace_id)) return fault('not_found');
  return { kind: 'stored', listed };
}
