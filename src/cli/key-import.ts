import { createReadStream } from 'node:fs';
import { errorsOf, isDone, textOf } from './answer.ts';
import type { Answer, Client } from './client.ts';
import { type Command, JSON_OPTION } from './command.ts';
import { CONNECTION, openClient } from './connect.ts';
import { type KeyFormat, type KeyLine, readKeyFile } from './key-file.ts';
import { KEYS } from './key-resource.ts';
import { printable, printableJson } from './printable.ts';
import type { Session } from './session.ts';
import { UsageError } from './usage.ts';

/** Requests under way at a time. */
const AT_ONCE = 16;
const PROGRESS_LINES = 1000;

/** `keys import`. */
export function keysImportCommand(): Command {
  const options = {
    format: { value: 'jsonl|csv', help: 'when the name of the file does not say it' },
    ...JSON_OPTION,
    ...CONNECTION,
  };
  return {
    name: 'keys import',
    summary: 'take over existing keys by their hashes',
    operands: ['FILE'],
    options,
    notes: [
      'FILE holds a JSON object on each line, or is a CSV whose first line names the columns; "-" is',
      'standard input. "hash" (sha256:<hex>) and "prefix" are needed, and the prefix must have',
      'checksum: false in the policy, or be empty. "key_prefix" is what may be shown of the key; the other fields',
      'are those of keys create, lists by commas. A bad line is told with its number, and the rest goes on.',
    ],
    run: async (given, session) => {
      const [file = ''] = given.operands;
      const format = readFormat(file, given.text['format']);
      const pieces = file === '-' ? session.input() : openFile(file);
      await using client = await openClient(given, session);
      const count = await importAll(client, readKeyFile(pieces, format), session);
      const { imported, refused } = count;
      if (given.flags.has('json')) session.out(printableJson({ imported, refused }));
      else session.out(`${imported} imported, ${refused} refused`);
      return refused === 0 && !count.isStopped ? 0 : 1;
    },
  };
}

type Count = { imported: number; refused: number; isStopped: boolean };

async function importAll(
  client: Client,
  lines: AsyncIterable<KeyLine>,
  session: Session,
): Promise<Count> {
  const count: Count = { imported: 0, refused: 0, isStopped: false };
  let batch: KeyLine[] = [];
  const finish = async () => {
    const told = await Promise.all(batch.map((one) => importOne(client, one)));
    const seen = count.imported + count.refused;
    for (const [at, problem] of told.entries()) {
      if (problem === undefined) count.imported += 1;
      else {
        count.refused += 1;
        session.err(printable(`line ${batch[at]?.line}: ${problem.text}`));
      }
    }
    const last = batch.at(-1)?.line;
    batch = [];
    const total = count.imported + count.refused;
    if (Math.floor(total / PROGRESS_LINES) > Math.floor(seen / PROGRESS_LINES)) {
      session.err(`${total} lines: ${count.imported} imported, ${count.refused} refused`);
    }
    count.isStopped = told.length > 0 && told.every((problem) => problem?.isHopeless === true);
    if (count.isStopped) {
      session.err(`stopped at line ${last}: no request gets through; run it again afterwards`);
    }
  };
  for await (const line of lines) {
    batch.push(line);
    if (batch.length === AT_ONCE) await finish();
    if (count.isStopped) return count;
  }
  await finish();
  return count;
}

/** What is wrong with a line; `isHopeless`: with the way to the API, and so with every line. */
type Trouble = { readonly text: string; readonly isHopeless: boolean };

async function importOne(client: Client, one: KeyLine): Promise<Trouble | undefined> {
  if ('problem' in one) return { text: one.problem, isHopeless: false };
  try {
    const answer = await client.call('POST', `${KEYS.path}/import`, { body: one.body });
    if (isDone(answer)) return undefined;
    return { text: writeTrouble(answer), isHopeless: answer.status === 401 };
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return { text, isHopeless: true };
  }
}

function writeTrouble({ status, body }: Answer): string {
  const errors = errorsOf(body).map(({ pointer, detail }) => `${pointer} ${detail}`);
  if (errors.length > 0) return errors.join('; ');
  return textOf(body, 'message') ?? textOf(body, 'detail') ?? `refused with status ${status}`;
}

function readFormat(file: string, told: string | undefined): KeyFormat {
  if (told === 'csv' || told === 'jsonl') return told;
  if (told !== undefined) throw new UsageError('--format: expected jsonl or csv');
  if (/\.csv$/i.test(file)) return 'csv';
  if (/\.(jsonl|ndjson|json)$/i.test(file)) return 'jsonl';
  throw new UsageError('--format: say jsonl or csv; the name of the file does not');
}

async function* openFile(path: string): AsyncGenerator<string, void, undefined> {
  try {
    yield* createReadStream(path, 'utf8') as AsyncIterable<string>;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new Error(`${path} cannot be read: ${code}`, { cause });
  }
}
