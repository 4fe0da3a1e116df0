import { textOf } from './answer.ts';
import type { Command } from './command.ts';
import { BY_TIME, listCommand } from './list.ts';
import { column, type Filter } from './resource.ts';
import { type Column, isShown } from './table.ts';

const FILTERS: readonly Filter[] = [
  { option: 'workspace', query: 'workspace_id', value: 'ID', help: 'of this workspace' },
  { option: 'event', query: 'event', value: 'EVENT', help: 'for instance key.created, or key.*' },
  { option: 'object', query: 'object', value: 'ID', help: 'about this key, user, …' },
  { option: 'actor', query: 'actor', value: 'ID', help: 'by this one; admin is the admin' },
  {
    option: 'reason',
    query: 'reason',
    value: 'REASON',
    help: 'refused or revoked for this reason',
  },
  ...BY_TIME,
];

const COLUMNS: readonly Column[] = [
  column('time'),
  column('event'),
  { title: 'OBJECT', of: ({ object }) => pair(textOf(object, 'kind'), textOf(object, 'id')) },
  { title: 'ACTOR', of: ({ actor }) => pair(textOf(actor, 'kind'), textOf(actor, 'id')) },
  column('workspace_id'),
  { title: 'WHAT', of: whatOf, longest: 60 },
  column('address'),
];

/** `audit`: who did what, the newest first. */
export function auditCommand(): Command {
  return listCommand('audit', 'list changes and refused requests, the newest first', {
    path: '/v1/audit-events',
    filters: FILTERS,
    columns: COLUMNS,
  });
}

/** `key 2ab`, and the admin once. */
function pair(kind: string | undefined, id: string | undefined): string {
  return kind === id ? (kind ?? '') : [kind, id].filter(Boolean).join(' ');
}

/** Why, or which fields changed. */
function whatOf({ reason, after, event }: { readonly [field: string]: unknown }): unknown {
  if (typeof reason === 'string') return reason;
  const isUpdate = typeof event === 'string' && event.endsWith('.updated');
  if (!isUpdate || !isShown(after)) return '';
  return Object.keys(after).filter((field) => field !== 'updated_at');
}
