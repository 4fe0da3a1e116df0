import { isDone, textOf, writeRefusal } from './answer.ts';
import type { Answer } from './client.ts';
import { type Command, JSON_OPTION } from './command.ts';
import { CONNECTION, openClient, writeCredential } from './connect.ts';
import { printable, printableJson } from './printable.ts';
import { readFirstLine, type Session } from './session.ts';
import { type Column, isShown, openTable, type Shown, writeValue } from './table.ts';
import { UsageError } from './usage.ts';

const KEY_LONGEST = 16_384;
const SENDABLE = /^[\x21-\x7e]+$/;

/** `keys verify`: asks the API about a credential as the gate would judge it, without spending a limit. */
export function keysVerifyCommand(): Command {
  const options = { ...JSON_OPTION, ...CONNECTION };
  return {
    name: 'keys verify',
    summary: 'say whether a key is valid, or why not; spends nothing',
    options,
    notes: [
      'The key is read from POSTERN_KEY, else from the first line of standard input; it is no',
      'argument, because arguments show in the list of processes. A token of an issuer works too.',
      'Exit code 0: valid; 1: refused.',
    ],
    run: async (given, session) => {
      const key = await readKey(session);
      await using client = await openClient(given, session, 'none');
      const { credentialHeader } = client;
      const headers = { [credentialHeader]: writeCredential(credentialHeader, key) };
      const answer = await client.call('GET', '/v1/auth/verify', { headers });
      if (given.flags.has('json')) session.out(printableJson(answer.body));
      else printVerdict(answer, session);
      return isDone(answer) ? 0 : 1;
    },
  };
}

async function readKey(session: Session): Promise<string> {
  const told = session.env['POSTERN_KEY'];
  const typed =
    told ||
    (session.person
      ? await session.person.askHidden('key: ')
      : await readFirstLine(session, KEY_LONGEST));
  const key = typed.trim();
  if (key === '') throw new UsageError('no key: set POSTERN_KEY, or write it to standard input');
  if (key.length > KEY_LONGEST || !SENDABLE.test(key)) {
    throw new UsageError('what was read holds characters that no key has');
  }
  return key;
}

function printVerdict(answer: Answer, session: Session): void {
  const { body } = answer;
  if (!isDone(answer)) {
    session.out(`refused ${printable(textOf(body, 'reason') ?? String(answer.status))}`);
    for (const line of writeRefusal(answer, {})) session.err(line);
    return;
  }
  session.out('valid');
  if (!isShown(body)) return;
  const key = isShown(body['api_key']) ? body['api_key'] : {};
  for (const [name, value] of Object.entries({ ...factsOf(key), ...factsOf(body) })) {
    session.out(`${name.padEnd(NAME_WIDTH)}  ${writeValue(value)}`);
  }
  const limits = body['limits'];
  if (Array.isArray(limits) && limits.length > 0) {
    session.out('');
    openTable(LIMITS, session.out).add(limits.filter(isShown));
  }
}

const FACTS = [
  'id',
  'name',
  'kind',
  'status',
  'expires_at',
  'previous_secret_until',
  'method',
  'username',
  'workspace_id',
  'environment',
  'scopes',
  'roles',
  'plan',
];
const NAME_WIDTH = 'previous_secret_until'.length;

function factsOf(shown: Shown): Shown {
  const told = FACTS.flatMap((name): [string, unknown][] => {
    const value = shown[name];
    const isEmpty =
      value === null || value === undefined || (Array.isArray(value) && value.length === 0);
    return isEmpty ? [] : [[name, value]];
  });
  return Object.fromEntries(told);
}

const LIMITS: readonly Column[] = [
  {
    title: 'LIMIT',
    of: ({ policy, burst }) => (burst === undefined ? policy : `${policy} burst`),
  },
  { title: 'REMAINING', of: 'remaining' },
  { title: 'OF', of: ({ limit, burst }) => burst ?? limit },
  {
    title: 'RESETS',
    of: ({ reset }) =>
      typeof reset === 'number' && reset < LAST_SECOND ? new Date(reset * 1000).toISOString() : '-',
  },
];
const LAST_SECOND = Date.UTC(9999, 11, 31) / 1000;
