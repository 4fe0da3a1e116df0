import * as z from 'zod';
import { KEY_KINDS } from '../core/api-key.ts';
import type { KeyRecord } from '../core/key-record.ts';
import { parseTimestamp } from '../core/key-record.ts';
import type { KeyFilter } from '../core/record-store.ts';
import { slug } from '../schema/text.ts';
import { moment } from './keys-schema.ts';
import { declaredStatus, showDeclaredKey, showKey } from './keys-show.ts';
import { answerPage, listedWorkspace, NOTHING, pageQuery } from './page.ts';
import type { Call, Outcome } from './row.ts';

/** What a list of keys may be narrowed to. */
export const keyQuery = z.strictObject({
  workspace_id: slug.optional(),
  kind: z.enum(KEY_KINDS).optional(),
  owner: slug.optional(),
  environment: z.string().min(1).max(64).optional(),
  status: z.enum(['active', 'disabled', 'revoked', 'expired']).optional(),
  prefix: z.string().min(1).max(68).optional().meta({ description: 'How key_prefix begins.' }),
  unused_since: moment.optional().meta({ description: 'Not used at or after this time.' }),
  ...pageQuery,
});
type KeyQuery = z.output<typeof keyQuery>;

/** One page of keys: those that the policy declares, then stored ones, the newest first. */
export async function listKeys(call: Call<KeyQuery>): Promise<Outcome> {
  const { query, actor, policy, parts, nowMs } = call;
  const place = listedWorkspace(actor, query.workspace_id);
  if (place === 'nothing') return NOTHING;
  const { kind, owner, environment, status, prefix, unused_since: unused } = query;
  const unusedSinceMs = unused === undefined ? undefined : parseTimestamp(unused);
  const { workspace } = place;
  const filter: KeyFilter = {
    ...{ workspace, kind, owner, environment, status, prefix, unusedSinceMs, nowMs },
  };
  const declared = [...policy.written.keys.values()].filter(
    (record) => isIn(workspace, record) && isListed(query, record, nowMs),
  );
  return answerPage(call, {
    declared,
    showDeclared: (record) => showDeclaredKey(call, record),
    stored: (page) => parts.store.listKeys(filter, page),
    show: (listed) => showKey(call, listed),
  });
}

function isIn(workspace: string | null | undefined, record: KeyRecord): boolean {
  return workspace === undefined || (record.workspace ?? null) === workspace;
}

/** Whether a declared key passes the filters. How it begins, and when it was used, is not known of one. */
function isListed(query: KeyQuery, record: KeyRecord, nowMs: number): boolean {
  if (query.prefix !== undefined || query.unused_since !== undefined) return false;
  const { kind, owner, environment, status } = query;
  return (
    (kind === undefined || kind === (record.kind ?? 'service')) &&
    (owner === undefined || owner === (record.owner ?? record.team)) &&
    (environment === undefined || environment === record.environment) &&
    (status === undefined || status === declaredStatus(record, nowMs))
  );
}
