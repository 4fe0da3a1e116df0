import { textOf } from './answer.ts';
import { type Command, JSON_OPTION } from './command.ts';
import { CONNECTION, openClient } from './connect.ts';
import { LIST_OPTIONS, printList } from './list.ts';
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
  {
    option: 'from',
    query: 'from',
    value: '24h',
    help: 'from so long ago on, or a time',
    form: 'time',
  },
  { option: 'to', query: 'to', value: 'TIME', help: 'until so long ago, or a time', form: 'time' },
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
  const byFilter = Object.fromEntries(FILTERS.map(({ option, ...rest }) => [option, rest]));
  const options = { ...byFilter, ...LIST_OPTIONS, ...JSON_OPTION, ...CONNECTION };
  const listing = { path: '/v1/audit-events', filters: FILTERS, columns: COLUMNS, options };
  return {
    name: 'audit',
    summary: 'list changes and refused requests, the newest first',
    options,
    run: async (given, session) => {
      await using client = await openClient(given, session);
      return await printList(client, listing, given, session);
    },
  };
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
