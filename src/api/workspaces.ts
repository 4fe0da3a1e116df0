import * as z from 'zod';
import { sees } from '../core/actor.ts';
import { compileAddresses } from '../core/address.ts';
import type { Versioned, Write } from '../core/record-store.ts';
import type { WorkspaceRecord } from '../core/records.ts';
import { planFigures } from '../schema/plan.ts';
import { form, line, slug, strict } from '../schema/text.ts';
import {
  changedFields,
  commitChange,
  judgeIfMatch,
  type Lost,
  mintId,
  timeText,
} from './change.ts';
import { type Fault, type FieldError, fault, invalid } from './fault.ts';
import { answerPage, pageQuery } from './page.ts';
import { resourceRows } from './resource.ts';
import { chosenId } from './resource-member.ts';
import type { Call, Outcome } from './row.ts';
import { judgeId, judgeSlug, keepSlugFree } from './workspaces-names.ts';
import { isSame, madeAt, patched } from './workspaces-place.ts';
import { removeWorkspace } from './workspaces-remove.ts';
import { showDeclaredWorkspace, shownWorkspace, showWorkspace } from './workspaces-show.ts';

const ADDRESSES_MAX = 1000;

/** A problem never quotes the text: somebody may have pasted a key where an address belongs. */
const addressBlock = form((text) =>
  'problem' in compileAddresses([text])
    ? 'expected an address or CIDR block such as 192.0.2.0/24'
    : undefined,
);

const fields = {
  name: line.nullish().meta({ description: 'Name for people.' }),
  slug: slug.nullish().meta({ description: 'A second name, for {workspace} in paths and hosts.' }),
  plan: line
    .nullish()
    .meta({ description: 'Plan of its keys and tokens that name none themselves.' }),
  overrides: planFigures.nullish().meta({ description: 'Figures laid over those of the plan.' }),
  status: z
    .enum(['active', 'suspended', 'past_due'])
    .optional()
    .meta({ description: 'suspended refuses with 403, past_due with 402.' }),
  allowed_ips: z
    .array(addressBlock)
    .max(ADDRESSES_MAX)
    .nullish()
    .meta({ description: 'Addresses its credentials may be used from; null for any.' }),
};
const draft = strict({ id: chosenId, ...fields });
const patch = strict(fields);
type Draft = z.output<typeof draft>;
type Patch = z.output<typeof patch>;

/** What everybody with workspaces:write may change of their own workspace; the rest is the admin's. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['name', 'allowed_ips']);

export const workspaceRows = resourceRows({
  path: '/v1/workspaces',
  param: 'id',
  tag: 'Workspaces',
  one: 'Workspace',
  scopes: { read: 'workspaces:read', write: 'workspaces:write' },
  schemas: {
    shown: shownWorkspace,
    listed: z.strictObject(pageQuery),
    named: undefined,
    draft,
    patch,
  },
  create: {
    summary: 'Creates a workspace; only the admin may.',
    handle: create,
  },
  list: {
    summary: 'Lists workspaces: all for the admin, their own for others.',
    handle: list,
  },
  show: {
    summary: 'Shows a workspace.',
    handle: show,
  },
  update: {
    summary: 'Changes a workspace; all but name and allowed_ips only the admin may.',
    handle: update,
  },
  remove: {
    summary:
      'Deletes a workspace with its users, teams and roles, and revokes its keys; only the admin may.',
    handle: remove,
  },
});

async function create(call: Call<unknown, Draft>): Promise<Outcome | Lost> {
  const { actor, body } = call;
  if (actor.kind !== 'admin') return adminOnly();
  const { id: asked, ...rest } = body;
  const id = asked ?? mintId(call);
  const at = timeText(call.nowMs);
  const blank: WorkspaceRecord = { id, status: 'active', created_at: at, updated_at: at };
  const record = patched(blank, rest);
  const refusal =
    invalid(planErrors(call, rest)) ?? (await judgeId(call, id)) ?? (await judgeSlug(call, record));
  if (refusal) return refusal;
  const object = { kind: 'workspace', id } as const;
  const event = {
    event: 'workspace.created',
    workspace_id: id,
    object,
    after: showWorkspace(record),
  };
  const writes: readonly Write[] = [
    { kind: 'workspace', put: record, expected: 0 },
    ...keepSlugFree(record),
  ];
  const answer = {
    status: 201,
    body: showWorkspace(record),
    etag: 1,
    ...madeAt(call, id),
  } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

async function list(call: Call<{ limit: number; cursor?: string | undefined }>): Promise<Outcome> {
  const { actor, parts, policy } = call;
  const declared = [...policy.written.workspaces]
    .filter(([id]) => actor.kind === 'admin' || id === actor.workspace)
    .map(([id, written]) => showDeclaredWorkspace(id, written));
  return answerPage(call, {
    declared,
    stored: async (page) => {
      if (actor.kind === 'admin') return parts.store.list('workspace', {}, page);
      const id = actor.workspace;
      const own = id === undefined ? undefined : await parts.store.get('workspace', { id });
      return { items: own ? [own] : [] };
    },
    show: ({ record }) => showWorkspace(record),
  });
}

async function show(call: Call): Promise<Outcome> {
  const found = await find(call);
  if ('kind' in found) return found;
  if ('declared' in found) return { status: 200, body: found.declared };
  return { status: 200, body: showWorkspace(found.record), etag: found.version };
}

async function update(call: Call<unknown, Patch>): Promise<Outcome | Lost> {
  const { actor, body } = call;
  const found = await find(call);
  if ('kind' in found) return found;
  if ('declared' in found) return fault('read_only');
  const reserved = Object.keys(body).filter((field) => !OWN_FIELDS.has(field));
  if (actor.kind !== 'admin' && reserved.length > 0) return adminOnly(reserved);
  const { record, version } = found;
  const mismatch = judgeIfMatch(call, version);
  if (mismatch) return mismatch;
  const wanted = patched(record, body);
  const isRenamed = wanted.slug !== record.slug;
  const refusal =
    invalid(planErrors(call, body)) ?? (isRenamed ? await judgeSlug(call, wanted) : undefined);
  if (refusal) return refusal;
  if (isSame(record, wanted)) return { status: 200, body: showWorkspace(record), etag: version };
  const changed = { ...wanted, updated_at: timeText(call.nowMs) };
  const writes: readonly Write[] = [
    { kind: 'workspace', put: changed, expected: version },
    ...(isRenamed ? keepSlugFree(changed) : []),
  ];
  const event = {
    event: 'workspace.updated',
    workspace_id: record.id,
    object: { kind: 'workspace', id: record.id } as const,
    ...changedFields(showWorkspace(record), showWorkspace(changed)),
  };
  const answer = { status: 200, body: showWorkspace(changed), etag: version + 1 } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

async function remove(call: Call): Promise<Outcome | Lost> {
  const found = await find(call);
  if ('kind' in found) return found;
  if ('declared' in found) return fault('read_only');
  if (call.actor.kind !== 'admin') return adminOnly();
  return judgeIfMatch(call, found.version) ?? removeWorkspace(call, found);
}

type Declared = { readonly declared: object };

async function find(call: Call): Promise<Versioned<WorkspaceRecord> | Declared | Fault> {
  const { actor, parts, params, policy } = call;
  const id = params['id'] ?? '';
  if (!sees(actor, id)) return fault('not_found');
  const written = policy.written.workspaces.get(id);
  if (written) return { declared: showDeclaredWorkspace(id, written) };
  return (await parts.store.get('workspace', { id })) ?? fault('not_found');
}

function adminOnly(names: readonly string[] = ['']): Fault {
  const pointer = (name: string) => (name === '' ? '' : `/${name}`);
  const errors = names.map((name) => ({ pointer: pointer(name), detail: 'only the admin may' }));
  return fault('beyond_grant', errors);
}

function planErrors({ policy }: Call, { plan }: Pick<Patch, 'plan'>): readonly FieldError[] {
  const isKnown = plan === undefined || plan === null || policy.plans.has(plan);
  return isKnown ? [] : [{ pointer: '/plan', detail: 'no such plan' }];
}
