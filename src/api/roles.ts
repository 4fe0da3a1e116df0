import * as z from 'zod';
import type { Versioned } from '../core/record-store.ts';
import type { RoleRecord } from '../core/records.ts';
import { grant, line, slug, strict } from '../schema/text.ts';
import { roleBook } from './book.ts';
import {
  changedFields,
  commitChange,
  judgeIfMatch,
  type Lost,
  retryLost,
  timeText,
} from './change.ts';
import { type Fault, fault } from './fault.ts';
import { answerPage, NOTHING, pageOf, pageQuery } from './page.ts';
import { bookWith, judgeRole } from './roles-rules.ts';
import { showDeclaredRole, shownRole, showRole } from './roles-show.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';
import {
  findNamed,
  isSame,
  listedPlace,
  loadRoles,
  madeAt,
  patched,
  placeOf,
  workspaceQuery,
} from './workspaces-place.ts';

const PARENTS_MAX = 50;
const SCOPES_MAX = 200;

const fields = {
  description: line.nullish(),
  inherits: z
    .array(line)
    .max(PARENTS_MAX)
    .optional()
    .meta({ description: 'Roles of the policy or of the workspace whose scopes it has too.' }),
  scopes: z.array(grant).max(SCOPES_MAX).optional(),
};
const draft = strict({
  name: slug,
  workspace_id: slug.nullish().meta({ description: 'Your own where it is absent.' }),
  ...fields,
});
const patch = strict(fields);
const named = z.object(workspaceQuery);
const listed = z.object({ ...pageQuery, ...workspaceQuery });
type Draft = z.output<typeof draft>;
type Patch = z.output<typeof patch>;
type Named = z.output<typeof named>;

const tag = 'Roles';
const READ = 'users:read';
const WRITE = 'users:write';

export const roleRows: readonly GuardedRow[] = [
  row({
    method: 'POST',
    path: '/v1/roles',
    tag,
    summary: 'Creates a custom role of a workspace, within what you hold yourself.',
    id: 'createRole',
    scope: WRITE,
    body: draft,
    isIdempotent: true,
    answers: { 201: shownRole },
    handle: (call) => retryLost(call, () => create(call)),
  }),
  row({
    method: 'GET',
    path: '/v1/roles',
    tag,
    summary: "Lists the policy's roles and the custom roles of a workspace.",
    id: 'listRoles',
    scope: READ,
    query: listed,
    answers: { 200: pageOf(shownRole) },
    handle: list,
  }),
  row({
    method: 'GET',
    path: '/v1/roles/{name}',
    tag,
    summary: 'Shows a role.',
    id: 'getRole',
    scope: READ,
    query: named,
    answers: { 200: shownRole },
    handle: show,
  }),
  row({
    method: 'PATCH',
    path: '/v1/roles/{name}',
    tag,
    summary: 'Changes a custom role; whoever has it changes with it at once.',
    id: 'updateRole',
    scope: WRITE,
    query: named,
    body: patch,
    isConditional: true,
    answers: { 200: shownRole },
    handle: (call) => retryLost(call, () => update(call)),
  }),
  row({
    method: 'DELETE',
    path: '/v1/roles/{name}',
    tag,
    summary: 'Deletes a custom role; whoever has it loses it.',
    id: 'deleteRole',
    scope: WRITE,
    query: named,
    isConditional: true,
    answers: { 204: null },
    handle: (call) => retryLost(call, () => remove(call)),
  }),
];

async function create(call: Call<unknown, Draft>): Promise<Outcome | Lost> {
  const { name: id, workspace_id, ...rest } = call.body;
  const place = await placeOf(call, workspace_id);
  if (place.kind === 'fault') return place;
  if (isDeclared(call, id)) return fault('read_only', [{ pointer: '/name', detail: DECLARED }]);
  const { workspace } = place;
  const isTaken = await call.parts.store.get('role', { workspace, id });
  if (isTaken) return fault('already_exists', [{ pointer: '/name', detail: 'there is one' }]);
  const at = timeText(call.nowMs);
  const times = { created_at: at, updated_at: at };
  const blank: RoleRecord = { id, workspace_id: workspace, inherits: [], scopes: [], ...times };
  const record = patched(blank, rest);
  const loaded = await loadRoles(call, workspace, record.inherits);
  const wanted = { record, loaded, named: record };
  const refusal = judgeRole(call, wanted);
  if (refusal) return refusal;
  const shown = showRole(record, bookWith(call, wanted));
  const event = {
    event: 'role.created',
    workspace_id: workspace,
    object: { kind: 'role', id } as const,
    after: shown,
  };
  const put = { kind: 'role', put: record, expected: 0 } as const;
  const writes = [...place.requires, ...loaded.requires(record.inherits), put];
  const answer = { status: 201, body: shown, etag: 1, ...madeAt(call, id) } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

async function list(call: Call<z.output<typeof listed>>): Promise<Outcome> {
  const place = listedPlace(call);
  if (place === 'nothing') return NOTHING;
  const { parts, policy } = call;
  return answerPage(call, {
    declared: [...policy.written.roles].map(([name, role]) =>
      showDeclaredRole(name, role, policy.roles),
    ),
    stored: async (request) => {
      const page = await parts.store.list('role', place, request);
      const items: object[] = [];
      for (const { record } of page.items) {
        items.push(showRole(record, await roleBook(call, record.workspace_id)));
      }
      return { items, next: page.next };
    },
    show: (shown) => shown,
  });
}

async function show(call: Call<Named>): Promise<Outcome> {
  const name = call.params['name'] ?? '';
  const declared = call.policy.written.roles.get(name);
  if (declared) return { status: 200, body: showDeclaredRole(name, declared, call.policy.roles) };
  const found = await findNamed(call, 'role', name);
  if ('kind' in found) return found;
  const { record, version } = found;
  const book = await roleBook(call, record.workspace_id);
  return { status: 200, body: showRole(record, book), etag: version };
}

async function update(call: Call<Named, Patch>): Promise<Outcome | Lost> {
  const found = await findCustom(call);
  if ('kind' in found) return found;
  const { record, version } = found;
  const mismatch = judgeIfMatch(call, version);
  if (mismatch) return mismatch;
  const after = patched(record, call.body);
  const changed = { ...after, updated_at: timeText(call.nowMs) };
  const names = [...record.inherits, ...changed.inherits];
  const loaded = await loadRoles(call, record.workspace_id, names);
  const wanted = { record: changed, before: record, loaded, named: call.body };
  const refusal = judgeRole(call, wanted);
  if (refusal) return refusal;
  const shown = showRole(changed, bookWith(call, wanted));
  const before = showRole(record, bookWith(call, { ...wanted, record }));
  if (isSame(record, after)) return { status: 200, body: before, etag: version };
  const event = {
    event: 'role.updated',
    workspace_id: record.workspace_id,
    object: { kind: 'role', id: record.id } as const,
    ...changedFields(before, shown),
  };
  const put = { kind: 'role', put: changed, expected: version } as const;
  const writes = [...loaded.requires(changed.inherits), put];
  const answer = { status: 200, body: shown, etag: version + 1 } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

async function remove(call: Call<Named>): Promise<Outcome | Lost> {
  const found = await findCustom(call);
  if ('kind' in found) return found;
  const { record, version } = found;
  const mismatch = judgeIfMatch(call, version);
  if (mismatch) return mismatch;
  const { id, workspace_id } = record;
  const event = {
    event: 'role.deleted',
    workspace_id,
    object: { kind: 'role', id } as const,
    before: showRole(record, await roleBook(call, workspace_id)),
  };
  const name = { workspace: workspace_id, id };
  const writes = [{ kind: 'role', remove: name, expected: version }] as const;
  return commitChange(call, { writes, events: [event] }, { status: 204 });
}

const DECLARED = 'the policy has a role of this name';

function isDeclared({ policy }: Call, name: string): boolean {
  return policy.roles.byName.has(name);
}

async function findCustom(call: Call<Named>): Promise<Versioned<RoleRecord> | Fault> {
  const name = call.params['name'] ?? '';
  return isDeclared(call, name) ? fault('read_only') : findNamed(call, 'role', name);
}
