import type { Field } from './field.ts';
import {
  ALLOWED_IPS,
  BY_WORKSPACE,
  column,
  DESCRIPTION,
  field,
  filter,
  listColumn,
  NAME,
  NAME_COLUMN,
  type Resource,
  ROLES_HELD,
  SCOPES,
  WORKSPACE,
} from './resource.ts';

/** The end of a key: a time, or a duration from now. */
export const ENDS: readonly Field[] = [
  field('expires_at', 'time', 'when it ends, as in 2027-01-31T00:00:00Z'),
  { option: 'expires-in', field: 'expires_at', form: 'in', help: 'the same, from now' },
];

/** Keys that the API keeps. */
export const KEYS: Resource = {
  group: 'keys',
  noun: 'key',
  path: '/v1/api-keys',
  operand: 'ID',
  fixed: new Set(['kind', 'prefix', 'workspace_id', 'owner', 'environment']),
  isWithinWorkspace: false,
  fields: [
    { ...NAME, help: 'what the key is for' },
    DESCRIPTION,
    field('kind', 'text', 'service (default), team or personal', { value: 'KIND' }),
    field('owner', 'text', 'the user of a personal key, the team of a team key', { value: 'ID' }),
    WORKSPACE,
    field('username', 'text', 'name for limits, logs and upstream', { value: 'NAME' }),
    field('environment', 'text', 'for instance live; chooses the prefix', { value: 'NAME' }),
    field('prefix', 'text', 'what the key begins with, for instance pst_', { value: 'P' }),
    SCOPES,
    ROLES_HELD,
    field('plan', 'text', "plan (default: the workspace's)", { value: 'NAME' }),
    field('rate_limit', 'figures', 'a limit of its own beside its plan'),
    ALLOWED_IPS,
    field('allowed_referers', 'domains', 'pages it may be used from'),
    field('allowed_origins', 'domains', 'origins it may be used from'),
    field('allowed_routes', 'list', 'routes of the policy it may be used on'),
    field('hide_credentials', 'flag', 'never hand the key on to the upstream', { cleared: false }),
    field('metadata', 'map', 'facts of your own'),
    ...ENDS,
  ],
  filters: [
    BY_WORKSPACE,
    filter('kind', 'KIND', 'personal, team or service'),
    filter('owner', 'ID', 'of this user or team'),
    filter('environment', 'NAME', 'of this environment'),
    filter('status', 'STATUS', 'active, disabled, revoked or expired'),
    filter('prefix', 'P', 'whose shown prefix begins with this'),
    filter('unused_since', '30d', 'not used for so long, or since a time', 'time'),
  ],
  columns: [
    column('id'),
    NAME_COLUMN,
    column('key_prefix'),
    column('kind'),
    column('owner'),
    column('workspace_id'),
    column('status'),
    listColumn('scopes'),
    { title: 'LAST USED', of: (shown) => shown['last_used_at'] ?? 'never' },
    { title: 'EXPIRES', of: (shown) => shown['expires_at'] ?? 'never' },
  ],
};
