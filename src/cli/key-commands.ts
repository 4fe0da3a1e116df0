import { randomUUID } from 'node:crypto';
import { parseDuration } from '../schema/duration.ts';
import { textOf } from './answer.ts';
import type { Given, Options } from './arguments.ts';
import type { Answer, Client } from './client.ts';
import { type Command, JSON_OPTION, YES_OPTION } from './command.ts';
import { CONNECTION } from './connect.ts';
import { bodyOf, optionsOf } from './field.ts';
import { ENDS, KEYS } from './key-resource.ts';
import { printable } from './printable.ts';
import {
  act,
  isConfirmed,
  nameOf,
  pathOf,
  printAnswer,
  VERSION_OPTION,
  versionHeader,
} from './resource-commands.ts';
import type { Session } from './session.ts';
import { isShown } from './table.ts';
import { UsageError } from './usage.ts';

const IDEMPOTENCY: Options = {
  'idempotency-key': { value: 'TEXT', help: 'the same text gives the same answer for a day' },
};
const VISIBLE = /^[\x21-\x7e]{1,255}$/;

const SHOWN_ONCE = [
  'The key is the first line of standard output (with --json the member "key"), and is shown',
  'this once; everything else goes to standard error.',
];

/** `keys create`. */
export function keysCreateCommand(): Command {
  const options = { ...optionsOf(KEYS.fields), ...IDEMPOTENCY, ...JSON_OPTION, ...CONNECTION };
  return {
    name: 'keys create',
    summary: 'make a key in the store; printed once',
    options,
    notes: SHOWN_ONCE,
    run: (given, session) => {
      const body = bodyOf(KEYS.fields, given, session.now());
      const key = readIdempotencyKey(given);
      return makeSecret(key, session, (headers) =>
        act({ options }, given, session, (client) => ({
          method: 'POST',
          path: KEYS.path,
          ask: { body, headers: headers(client) },
          print: (answer) => printSecret(answer, session, 'created'),
        })),
      );
    },
  };
}

/** `keys rotate`. */
export function keysRotateCommand(): Command {
  const options = {
    grace: { value: '1h', help: 'how long the old secret works on (default: not at all)' },
    ...optionsOf(ENDS),
    ...VERSION_OPTION,
    ...IDEMPOTENCY,
    ...JSON_OPTION,
    ...CONNECTION,
  };
  return {
    name: 'keys rotate',
    summary: 'give a key a new secret; printed once',
    operands: [KEYS.operand],
    options,
    notes: SHOWN_ONCE,
    run: (given, session) => {
      const path = `${pathOf(KEYS, given)}/rotate`;
      const ends = bodyOf(ENDS, given, session.now());
      const body = { grace_seconds: readGrace(given.text['grace']), ...ends };
      const version = versionHeader(given);
      return makeSecret(readIdempotencyKey(given), session, (headers) =>
        act({ options }, given, session, (client) => ({
          method: 'POST',
          path,
          ask: { body, headers: { ...headers(client), ...version } },
          print: (answer) => printSecret(answer, session, 'rotated'),
        })),
      );
    },
  };
}

/** `keys disable` and `keys enable`. */
export function keysSwitchCommand(verb: 'disable' | 'enable'): Command {
  const options = {
    ...(verb === 'disable' ? YES_OPTION : {}),
    ...VERSION_OPTION,
    ...JSON_OPTION,
    ...CONNECTION,
  };
  return {
    name: `keys ${verb}`,
    summary: verb === 'disable' ? 'refuse a key for the time being' : 'take a disabled key again',
    operands: [KEYS.operand],
    options,
    run: async (given, session) => {
      const path = `${pathOf(KEYS, given)}/${verb}`;
      const headers = versionHeader(given);
      const question = `disable key ${given.operands[0]}?`;
      if (verb === 'disable' && !(await isConfirmed(question, given, session))) return 1;
      return await act({ options }, given, session, () => ({
        method: 'POST',
        path,
        ask: { headers },
        print: printAnswer,
      }));
    },
  };
}

/** Makes a secret whose answer may be lost on its way: an Idempotency-Key brings it back. */
async function makeSecret(
  chosen: string | undefined,
  session: Session,
  run: (
    headers: (client: Client) => { readonly [name: string]: string | undefined },
  ) => Promise<number>,
): Promise<number> {
  let made: string | undefined;
  const headers = (client: Client) => {
    made = chosen ?? (client.isRemote ? randomUUID() : undefined);
    return { 'idempotency-key': made };
  };
  try {
    return await run(headers);
  } catch (cause) {
    if (made === undefined) throw cause;
    session.err(cause instanceof Error ? printable(cause.message) : String(cause));
    session.err('whether it was done is not known; to get the same answer, repeat the command');
    session.err(`with --idempotency-key ${made}`);
    return 1;
  }
}

function printSecret({ body }: Answer, session: Session, done: 'created' | 'rotated'): void {
  const key = textOf(body, 'key');
  if (key === undefined) throw new Error('the answer holds no key: it was given before');
  session.out(printable(key));
  session.err(`${done} ${textOf(body, 'kind') ?? ''} key ${nameOf(body)}`.replace('  ', ' '));
  for (const [field, words] of TOLD) {
    const value = isShown(body) ? body[field] : undefined;
    const text = Array.isArray(value) ? value.join(', ') : value;
    if (typeof text === 'string' && text !== '') session.err(printable(`  ${words} ${text}`));
  }
  session.err('the key is on standard output and shown this once: store it now');
}

const TOLD = [
  ['workspace_id', 'workspace'],
  ['scopes', 'scopes'],
  ['roles', 'roles'],
  ['expires_at', 'ends at'],
  ['previous_secret_until', 'the old secret works until'],
] as const;

function readGrace(text: string | undefined): number {
  if (text === undefined) return 0;
  const graceMs = text === '0' ? 0 : parseDuration(text);
  if (graceMs === undefined || graceMs % 1000 !== 0) {
    throw new UsageError('--grace: expected whole seconds as a duration, such as 30s, 1h or 7d');
  }
  return graceMs / 1000;
}

function readIdempotencyKey({ text }: Given): string | undefined {
  const key = text['idempotency-key'];
  if (key === undefined || VISIBLE.test(key)) return key;
  throw new UsageError('--idempotency-key: expected 1 to 255 visible ASCII characters');
}
