import { type Command, JSON_OPTION } from './command.ts';
import { CONNECTION, openClient } from './connect.ts';
import { LIST_OPTIONS, printList } from './list.ts';
import { BY_WORKSPACE, column, type Filter } from './resource.ts';
import { type Column, isShown } from './table.ts';

const FILTERS: readonly Filter[] = [
  BY_WORKSPACE,
  { option: 'alert', query: 'alert', value: 'NAME', help: 'of this name, as new_country' },
  { option: 'key', query: 'key', value: 'ID', help: 'about this key' },
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
  column('alert'),
  column('severity'),
  column('key_id'),
  column('workspace_id'),
  column('address'),
  { title: 'FACTS', of: factsOf, longest: 60 },
];

/** `alerts`: what a security team should look at, the newest first. */
export function alertsCommand(): Command {
  const byFilter = Object.fromEntries(FILTERS.map(({ option, ...rest }) => [option, rest]));
  const options = { ...byFilter, ...LIST_OPTIONS, ...JSON_OPTION, ...CONNECTION };
  const listing = { path: '/v1/alerts', filters: FILTERS, columns: COLUMNS, options };
  return {
    name: 'alerts',
    summary: 'list alerts, the newest first',
    options,
    run: async (given, session) => {
      await using client = await openClient(given, session);
      return await printList(client, listing, given, session);
    },
  };
}

/** `country=CH network=AS64500`. */
function factsOf({ facts }: { readonly [field: string]: unknown }): string {
  if (!isShown(facts)) return '';
  return Object.entries(facts)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
