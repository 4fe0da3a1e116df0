import {
  ALLOWED_IPS,
  BY_WORKSPACE,
  column,
  DECLARED_COLUMN,
  DESCRIPTION,
  field,
  ID,
  listColumn,
  NAME,
  NAME_COLUMN,
  type Resource,
  ROLES_HELD,
  SCOPES,
  WORKSPACE,
} from './resource.ts';

const USERS: Resource = {
  group: 'users',
  noun: 'user',
  path: '/v1/users',
  operand: 'ID',
  fixed: new Set(['id', 'workspace_id']),
  isWithinWorkspace: true,
  fields: [
    ID,
    NAME,
    field('email', 'text', 'mail address', { value: 'ADDRESS' }),
    WORKSPACE,
    ROLES_HELD,
    SCOPES,
    field('status', 'text', 'active or deactivated; the latter revokes its keys for good', {
      value: 'STATUS',
    }),
  ],
  filters: [BY_WORKSPACE],
  columns: [
    column('id'),
    NAME_COLUMN,
    column('email'),
    column('workspace_id'),
    listColumn('roles'),
    listColumn('scopes'),
    column('status'),
  ],
};

const WORKSPACES: Resource = {
  group: 'workspaces',
  noun: 'workspace',
  path: '/v1/workspaces',
  operand: 'ID',
  fixed: new Set(['id']),
  isWithinWorkspace: false,
  fields: [
    ID,
    NAME,
    field('slug', 'text', 'a second name, for {workspace} in paths and hosts', { value: 'NAME' }),
    field('plan', 'text', 'plan of its keys and tokens', { value: 'NAME' }),
    field('overrides', 'figures', 'figures laid over those of the plan; a quota as JSON'),
    field('status', 'text', 'active, suspended or past_due', { value: 'STATUS' }),
    ALLOWED_IPS,
  ],
  filters: [],
  columns: [
    column('id'),
    NAME_COLUMN,
    column('slug'),
    column('plan'),
    column('status'),
    DECLARED_COLUMN,
  ],
};

const TEAMS: Resource = {
  group: 'teams',
  noun: 'team',
  path: '/v1/teams',
  operand: 'ID',
  fixed: new Set(['id', 'workspace_id']),
  isWithinWorkspace: true,
  fields: [
    ID,
    NAME,
    WORKSPACE,
    field('members', 'list', 'ids of users of the same workspace', { cleared: [] }),
  ],
  filters: [BY_WORKSPACE],
  columns: [column('id'), NAME_COLUMN, column('workspace_id'), listColumn('members')],
};

const ROLES: Resource = {
  group: 'roles',
  noun: 'role',
  path: '/v1/roles',
  operand: 'NAME',
  fixed: new Set(['name', 'workspace_id']),
  isWithinWorkspace: true,
  fields: [
    field('name', 'text', 'what it is called', { value: 'NAME' }),
    DESCRIPTION,
    WORKSPACE,
    field('inherits', 'list', 'roles whose scopes it has too', { cleared: [] }),
    SCOPES,
  ],
  filters: [BY_WORKSPACE],
  columns: [
    column('name'),
    column('workspace_id'),
    listColumn('inherits'),
    listColumn('scopes'),
    DECLARED_COLUMN,
  ],
};

/** Whom keys belong to, and what is given to them. */
export const PEOPLE: readonly Resource[] = [USERS, WORKSPACES, TEAMS, ROLES];
