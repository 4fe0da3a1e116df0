import type { Command } from './command.ts';
import { BY_TIME, listCommand } from './list.ts';
import { BY_WORKSPACE, column, type Filter } from './resource.ts';
import { type Column, isShown } from './table.ts';

const FILTERS: readonly Filter[] = [
  BY_WORKSPACE,
  { option: 'alert', query: 'alert', value: 'NAME', help: 'of this name, as new_country' },
  { option: 'key', query: 'key', value: 'ID', help: 'about this key' },
  ...BY_TIME,
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
  return listCommand('alerts', 'list alerts, the newest first', {
    path: '/v1/alerts',
    filters: FILTERS,
    columns: COLUMNS,
  });
}

/** `country=CH network=AS64500`. */
function factsOf({ facts }: { readonly [field: string]: unknown }): string {
  if (!isShown(facts)) return '';
  return Object.entries(facts)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
