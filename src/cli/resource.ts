import type { Field, Form } from './field.ts';
import type { Column, Shown } from './table.ts';

/** A kind of object that the API keeps, and how the command line speaks of it. */
export type Resource = {
  /** The first word of its commands. */
  readonly group: string;
  readonly noun: string;
  readonly path: string;
  /** What its objects are named by. */
  readonly operand: string;
  readonly fields: readonly Field[];
  /** Fields that only a new object is given. */
  readonly fixed: ReadonlySet<string>;
  readonly filters: readonly Filter[];
  readonly columns: readonly Column[];
  /** Whether a name is one within its workspace only, so that the workspace may have to be said. */
  readonly isWithinWorkspace: boolean;
};

/** An option of a list, and the query parameter it becomes. */
export type Filter = {
  readonly option: string;
  readonly query: string;
  readonly value: string;
  readonly help: string;
  /** `time`: RFC 3339, or a duration back from now. */
  readonly form?: 'time' | undefined;
};

const NAME_LONGEST = 32;
const LIST_LONGEST = 40;

/** A field whose option has its name, with dashes. */
export function field(
  name: string,
  form: Form,
  help: string,
  more: Partial<Pick<Field, 'value' | 'cleared'>> = {},
): Field {
  return { option: name.replaceAll('_', '-'), field: name, form, help, ...more };
}

/** A filter whose option has the name of its query parameter, with dashes. */
export function filter(query: string, value: string, help: string, form?: 'time'): Filter {
  return { option: query.replaceAll('_', '-'), query, value, help, form };
}

/** A column whose title comes from its field: `workspace_id` is WORKSPACE. */
export function column(name: string, longest?: number): Column {
  const title = name.replace(/_id$/, '').replaceAll('_', ' ').toUpperCase();
  return { title, of: name, longest };
}

/** A column of a list that is cut where it is long. */
export function listColumn(name: string): Column {
  return column(name, LIST_LONGEST);
}

export const NAME_COLUMN = column('name', NAME_LONGEST);
export const DECLARED_COLUMN: Column = {
  title: 'DECLARED',
  of: (shown: Shown) => (shown['read_only'] === true ? 'in the policy' : 'no'),
};

export const BY_WORKSPACE: Filter = {
  option: 'workspace',
  query: 'workspace_id',
  value: 'ID',
  help: 'of this workspace',
};

export const WORKSPACE: Field = {
  option: 'workspace',
  field: 'workspace_id',
  form: 'text',
  value: 'ID',
  help: 'the workspace it belongs to',
};
export const ID = field('id', 'text', '1 to 64 letters, digits, "_", "." and "-" (default: made)', {
  value: 'ID',
});
export const NAME = field('name', 'text', 'name for people');
export const DESCRIPTION = field('description', 'text', 'a note for people');
export const SCOPES = field('scopes', 'list', 'scopes and wildcards', { cleared: [] });
export const ROLES_HELD = field('roles', 'list', 'roles', { cleared: [] });
export const ALLOWED_IPS = field(
  'allowed_ips',
  'list',
  'addresses and CIDR blocks it may be used from',
);
