import * as z from 'zod';
import type { Versioned, Write } from '../core/record-store.ts';
import type { RecordOf } from '../core/records.ts';
import { slug } from '../schema/text.ts';
import { changedFields, judgeIfMatch } from './change.ts';
import type { Fault } from './fault.ts';
import { answerPage, NOTHING, pageQuery } from './page.ts';
import type { Answer, Call, Outcome } from './row.ts';
import type { Step } from './workspaces-cascade.ts';
import { findNamed, listedPlace, madeAt, workspaceQuery } from './workspaces-place.ts';

/** Kinds of records that belong to a workspace, or to none, and are unique within it. */
type Member = 'user' | 'team' | 'role';
type PutMember = Extract<Write, { readonly kind: Member; readonly put: unknown }>;
type RemoveMember = Extract<Write, { readonly kind: Member; readonly remove: unknown }>;
type Shown = Readonly<Record<string, unknown>>;

/** A change that waits for its commit, and what is answered after it. */
export type Prepared = { readonly step: Step; readonly answer: Answer };

export const chosenId = slug.optional().meta({ description: 'Chosen by you, else made.' });
export const homeWorkspace = slug.nullish().meta({ description: 'Your own where it is absent.' });

/** The queries of what names a member, and of what lists members. */
export const named = z.object(workspaceQuery);
export const listed = z.object({ ...pageQuery, ...workspaceQuery });
export type Named = z.output<typeof named>;
export type Listed = z.output<typeof listed>;

/** Lists the stored members that the caller sees. */
export async function listMembers<K extends Member>(
  call: Call<Listed>,
  kind: K,
  show: (record: RecordOf[K]) => object,
): Promise<Outcome> {
  const place = listedPlace(call);
  if (place === 'nothing') return NOTHING;
  return answerPage(call, {
    declared: [],
    stored: (page) => call.parts.store.list(kind, place, page),
    show: ({ record }) => show(record),
  });
}

/** Shows the stored member of the `{id}` in the path. */
export async function showMember<K extends Member>(
  call: Call<Named>,
  kind: K,
  show: (record: RecordOf[K]) => object,
): Promise<Outcome> {
  const found = await findNamed(call, kind, call.params['id'] ?? '');
  if ('kind' in found) return found;
  return { status: 200, body: show(found.record), etag: found.version };
}

/** The stored member that a change names, in the version that If-Match asks for. */
export async function findToChange<K extends Member>(
  call: Call<Named>,
  kind: K,
  id = call.params['id'] ?? '',
): Promise<Versioned<RecordOf[K]> | Fault> {
  const found = await findNamed(call, kind, id);
  if ('kind' in found) return found;
  return judgeIfMatch(call, found.version) ?? found;
}

/** Prepares the creation of a member, which is lost unless `requires` still stands. */
export function creationOf(
  call: Call,
  put: PutMember,
  told: { readonly after: Shown; readonly requires: readonly Write[] },
): Prepared {
  const { id } = put.put;
  return {
    step: {
      writes: [...told.requires, put],
      events: [{ ...memberEvent(put.kind, 'created', put.put), after: told.after }],
    },
    answer: { status: 201, body: told.after, etag: 1, ...madeAt(call, id) },
  };
}

/** Prepares a change of a member, which is lost unless `requires` still stands; its event tells the fields that differ as shown. */
export function updateOf(
  put: PutMember,
  told: {
    readonly before: Shown;
    readonly after: Shown;
    readonly requires?: readonly Write[];
  },
): Prepared {
  const { before, after, requires = [] } = told;
  return {
    step: {
      writes: [...requires, put],
      events: [{ ...memberEvent(put.kind, 'updated', put.put), ...changedFields(before, after) }],
    },
    answer: { status: 200, body: after, etag: put.expected + 1 },
  };
}

/** Prepares the removal of a member in the version that was found. */
export function removalOf(
  kind: Member,
  { record, version }: Versioned<RecordOf[Member]>,
  before: Shown,
): Step {
  const name = { workspace: record.workspace_id, id: record.id };
  const remove: RemoveMember = { kind, remove: name, expected: version };
  return { writes: [remove], events: [{ ...memberEvent(kind, 'deleted', record), before }] };
}

function memberEvent(
  kind: Member,
  verb: 'created' | 'updated' | 'deleted',
  { id, workspace_id }: RecordOf[Member],
) {
  return { event: `${kind}.${verb}`, workspace_id, object: { kind, id } };
}
