import { checksumOf } from '../core/api-key.ts';
import { isDone, tellRefusal, textOf } from './answer.ts';
import type { Given, Options } from './arguments.ts';
import type { Answer, Ask, Client, Method } from './client.ts';
import { type Command, JSON_OPTION, YES_OPTION } from './command.ts';
import { CONNECTION, openClient } from './connect.ts';
import { bodyOf, CLEAR_OPTION, changeOf, optionsOf } from './field.ts';
import { LIST_OPTIONS, printList } from './list.ts';
import { printable, printableJson } from './printable.ts';
import type { Resource } from './resource.ts';
import type { Session } from './session.ts';
import { isShown, printRecord } from './table.ts';
import { UsageError } from './usage.ts';

const ID_LONGEST = 512;
const CHECKSUM_CHARS = 6;
const KEY_SHORTEST = 38;

/** The option of what can be refused when somebody else was faster. */
export const VERSION_OPTION: Options = {
  'if-version': { value: 'N', help: 'only if it has this version (see show)' },
};
const WORKSPACE_OPTION: Options = {
  workspace: { value: 'ID', help: 'the workspace it belongs to, where several have the name' },
};

/** What a command does with one object. */
export type Act = {
  readonly method: Method;
  readonly path: string;
  readonly ask?: Ask | undefined;
  /** Prints what was answered, for people. */
  readonly print: (answer: Answer, session: Session) => void;
};

/** Asks the API for one thing, and prints the answer or the refusal. */
export async function act(
  command: Pick<Command, 'options'>,
  given: Given,
  session: Session,
  make: (client: Client) => Act,
): Promise<number> {
  await using client = await openClient(given, session);
  const { method, path, ask, print } = make(client);
  const answer = await client.call(method, path, ask);
  const isJson = given.flags.has('json');
  if (!isDone(answer)) return tellRefusal(answer, session, { ...command, isJson });
  if (isJson) session.out(answer.body === undefined ? '{}' : printableJson(answer.body));
  else print(answer, session);
  return 0;
}

/** The path of an object. Throws for a text that is no id, without repeating it: it may be a key. */
export function pathOf(resource: Resource, given: Given): string {
  const [id = ''] = given.operands;
  // A path would lose "." and "..", and with them name another resource.
  if (id === '' || id.length > ID_LONGEST || /^\.{1,2}$/.test(id) || printable(id) !== id) {
    throw new UsageError(`${resource.operand}: this names no ${resource.noun}`);
  }
  const isKey = id.length > KEY_SHORTEST && checksumOf(id.slice(0, -CHECKSUM_CHARS));
  if (isKey !== false && id.endsWith(isKey)) {
    throw new UsageError(
      'this is an API key and not the id of one; an argument shows in the list of processes',
    );
  }
  return `${resource.path}/${encodeURIComponent(id)}`;
}

/** `create`. */
export function createCommand(resource: Resource): Command {
  const options = { ...optionsOf(resource.fields), ...JSON_OPTION, ...CONNECTION };
  return {
    name: `${resource.group} create`,
    summary: `make a ${resource.noun}`,
    options,
    run: (given, session) => {
      const body = bodyOf(resource.fields, given, session.now());
      return act({ options }, given, session, () => ({
        method: 'POST',
        path: resource.path,
        ask: { body },
        print: printAnswer,
      }));
    },
  };
}

/** `list`. */
export function listCommand(resource: Resource): Command {
  const { filters, path, columns } = resource;
  const byFilter = Object.fromEntries(filters.map(({ option, ...rest }) => [option, rest]));
  const options = { ...byFilter, ...LIST_OPTIONS, ...JSON_OPTION, ...CONNECTION };
  return {
    name: `${resource.group} list`,
    summary: `list ${resource.group}`,
    options,
    run: async (given, session) => {
      await using client = await openClient(given, session);
      return await printList(client, { path, filters, columns, options }, given, session);
    },
  };
}

/** `show`. */
export function showCommand(resource: Resource): Command {
  const options = { ...workspaceOption(resource), ...JSON_OPTION, ...CONNECTION };
  return {
    name: `${resource.group} show`,
    summary: `show one ${resource.noun}`,
    operands: [resource.operand],
    options,
    run: (given, session) => {
      const path = pathOf(resource, given);
      return act({ options }, given, session, () => ({
        method: 'GET',
        path,
        ask: { query: workspaceQuery(resource, given) },
        print: printAnswer,
      }));
    },
  };
}

/** `update`. */
export function updateCommand(resource: Resource): Command {
  const fields = resource.fields.filter(({ field }) => !resource.fixed.has(field));
  const options = {
    ...optionsOf(fields),
    ...CLEAR_OPTION,
    ...workspaceOption(resource),
    ...VERSION_OPTION,
    ...JSON_OPTION,
    ...CONNECTION,
  };
  return {
    name: `${resource.group} update`,
    summary: `change fields of a ${resource.noun}; the others stay`,
    operands: [resource.operand],
    options,
    run: (given, session) => {
      const path = pathOf(resource, given);
      const body = changeOf(fields, given, session.now());
      if (Object.keys(body).length === 0) throw new UsageError('nothing to change: name a field');
      const headers = versionHeader(given);
      return act({ options }, given, session, () => ({
        method: 'PATCH',
        path,
        ask: { body, query: workspaceQuery(resource, given), headers },
        print: printAnswer,
      }));
    },
  };
}

/** `delete`, or for keys `revoke`: both are for good. */
export function deleteCommand(resource: Resource, verb: 'delete' | 'revoke'): Command {
  const options = {
    ...YES_OPTION,
    ...workspaceOption(resource),
    ...VERSION_OPTION,
    ...JSON_OPTION,
    ...CONNECTION,
  };
  return {
    name: `${resource.group} ${verb}`,
    summary: `${verb} a ${resource.noun} for good`,
    operands: [resource.operand],
    options,
    run: async (given, session) => {
      const path = pathOf(resource, given);
      const query = workspaceQuery(resource, given);
      const headers = versionHeader(given);
      const what = `${resource.noun} ${given.operands[0]}`;
      if (!(await isConfirmed(`${verb} ${what} for good?`, given, session))) return 1;
      return await act({ options }, given, session, () => ({
        method: 'DELETE',
        path,
        ask: { query, headers },
        print: () => session.out(`${verb}d ${what}`),
      }));
    },
  };
}

/** Prints an object a field a line, and its version. */
export function printAnswer({ body, headers }: Answer, session: Session): void {
  if (!isShown(body)) return;
  const version = /^"(\d+)"$/.exec(headers.get('etag') ?? '')?.[1];
  printRecord(version === undefined ? body : { ...body, version }, session.out);
}

/** Asks a person; a script has said yes by calling. */
export async function isConfirmed(
  question: string,
  given: Given,
  session: Session,
): Promise<boolean> {
  if (given.flags.has('yes') || !session.person) return true;
  const answer = await session.person.ask(`${question} [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) return true;
  session.err('nothing was done');
  return false;
}

function workspaceOption({ isWithinWorkspace }: Resource): Options {
  return isWithinWorkspace ? WORKSPACE_OPTION : {};
}

function workspaceQuery({ isWithinWorkspace }: Resource, { text }: Given) {
  return isWithinWorkspace ? { workspace_id: text['workspace'] } : {};
}

/** The header of `--if-version`. */
export function versionHeader({ text }: Given) {
  const version = text['if-version'];
  if (version !== undefined && !/^\d{1,15}$/.test(version)) {
    throw new UsageError('--if-version: expected the number that show prints as version');
  }
  return { 'if-match': version === undefined ? undefined : `"${version}"` };
}

/** The id and the name of an object in one line. */
export function nameOf(body: unknown): string {
  const name = textOf(body, 'name');
  return printable([textOf(body, 'id'), name && JSON.stringify(name)].filter(Boolean).join(' '));
}
