import * as z from 'zod';
import type { Versioned } from '../core/record-store.ts';
import type { RoleRecord } from '../core/records.ts';
import { grant, line, slug, strict } from '../schema/text.ts';
import { roleBook } from './book.ts';
import { commitChange, type Lost, timeText } from './change.ts';
import { type Fault, fault } from './fault.ts';
import { answerPage, NOTHING } from './page.ts';
import { resourceRows } from './resource.ts';
import {
  creationOf,
  findToChange,
  homeWorkspace,
  type Listed,
  listed,
  type Named,
  named,
  removalOf,
  updateOf,
} from './resource-member.ts';
import { bookWith, judgeRole } from './roles-rules.ts';
import { showDeclaredRole, shownRole, showRole } from './roles-show.ts';
import type { Call, Outcome } from './row.ts';
import { findNamed, isSame, listedPlace, loadRoles, patched, placeOf } from './workspaces-place.ts';

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
const draft = strict({ name: slug, workspace_id: homeWorkspace, ...fields });
const patch = strict(fields);
type Draft = z.output<typeof draft>;
type Patch = z.output<typeof patch>;

export const roleRows = resourceRows({
  path: '/v1/roles',
  param: 'name',
  tag: 'Roles',
  one: 'Role',
  scopes: { read: 'users:read', write: 'users:write' },
  schemas: { shown: shownRole, listed, named, draft, patch },
  create: {
    summary: 'Creates a custom role of a workspace, within what you hold yourself.',
    handle: create,
  },
  list: {
    summary: "Lists the policy's roles and the custom roles of a workspace.",
    handle: list,
  },
  show: {
    summary: 'Shows a role.',
    handle: show,
  },
  update: {
    summary: 'Changes a custom role; whoever has it changes with it at once.',
    handle: update,
  },
  remove: {
    summary: 'Deletes a custom role; whoever has it loses it.',
    handle: remove,
  },
});

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
  const put = { kind: 'role', put: record, expected: 0 } as const;
  const requires = [...place.requires, ...loaded.requires(record.inherits)];
  const { step, answer } = creationOf(call, put, { after: shown, requires });
  return commitChange(call, step, answer);
}

async function list(call: Call<Listed>): Promise<Outcome> {
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
  const put = { kind: 'role', put: changed, expected: version } as const;
  const requires = loaded.requires(changed.inherits);
  const { step, answer } = updateOf(put, { before, after: shown, requires });
  return commitChange(call, step, answer);
}

async function remove(call: Call<Named>): Promise<Outcome | Lost> {
  const found = await findCustom(call);
  if ('kind' in found) return found;
  const { record } = found;
  const before = showRole(record, await roleBook(call, record.workspace_id));
  return commitChange(call, removalOf('role', found, before), { status: 204 });
}

const DECLARED = 'the policy has a role of this name';

function isDeclared({ policy }: Call, name: string): boolean {
  return policy.roles.byName.has(name);
}

/** The role that a change names, in the version that If-Match asks for; what the policy declares is changed there. */
async function findCustom(call: Call<Named>): Promise<Versioned<RoleRecord> | Fault> {
  const name = call.params['name'] ?? '';
  return isDeclared(call, name) ? fault('read_only') : findToChange(call, 'role', name);
}
