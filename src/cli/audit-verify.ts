import { createReadStream, readFileSync } from 'node:fs';
import { CHAIN_KEY_CHARS_MIN, createChainDigest, readSeal } from '../core/audit-chain.ts';
import {
  type ChainCheck,
  type ChainFault,
  type ChainVerdict,
  createChainCheck,
} from '../core/audit-verify.ts';
import type { Given } from './arguments.ts';
import { type Command, JSON_OPTION } from './command.ts';
import { printable, printableJson } from './printable.ts';
import type { Session } from './session.ts';
import { UsageError } from './usage.ts';

const STDIN = '-';
const NEWLINE = 0x0a;
const LINE_BYTES_MAX = 16 * 1024 * 1024;

/** `audit verify`: whether a chain of audit events is as Postern wrote it. */
export function auditVerifyCommand(): Command {
  return {
    name: 'audit verify',
    summary: 'find what was changed in audit files, or taken out (audit.chain)',
    operands: ['FILE…'],
    options: {
      'key-file': { value: 'PATH', help: 'a file that holds audit.chain.key' },
      restarts: { help: 'chains may begin anew, as on standard output at each start' },
      ...JSON_OPTION,
    },
    notes: [
      'FILE is an audit file, rotated ones too and in any order, or - for standard input.',
      'Exit code 0: all that was written is there, in order and unchanged. 1: it is not.',
      'The last event is known to no other yet, and nothing tells of events cut off behind it:',
      'compare the number and digest that are printed with those that you know from elsewhere.',
    ],
    run: (given, session) => verify(given, session),
  };
}

async function verify(given: Given, session: Session): Promise<number> {
  const { operands, text, flags } = given;
  if (operands.includes(STDIN) && operands.length > 1) {
    throw new UsageError('postern audit verify: - stands alone');
  }
  const digest = createChainDigest(readKey(text['key-file']));
  const check = createChainCheck(digest, { mayRestart: flags.has('restarts') });
  for (const file of await inOrder(operands)) await takeLines(check, file, piecesOf(file, session));
  const verdict = check.end();
  const { isSound, ...told } = verdict;
  if (flags.has('json')) session.out(printableJson({ sound: isSound, ...told }));
  else tell(verdict, session);
  return isSound ? 0 : 1;
}

function readKey(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const key = readOr(path, () => readFileSync(path, 'utf8')).trim();
  if (key.length >= CHAIN_KEY_CHARS_MIN) return key;
  throw new UsageError(`--key-file: a key has at least ${CHAIN_KEY_CHARS_MIN} characters`);
}

/** Files by the number of their first event; a file without any goes first, where it does no harm. */
async function inOrder(files: readonly string[]): Promise<readonly string[]> {
  if (files.length === 1) return files;
  const numbered = await Promise.all(
    files.map(async (file) => ({ file, first: await firstNumber(file) })),
  );
  return numbered.sort((one, other) => one.first - other.first).map(({ file }) => file);
}

async function firstNumber(file: string): Promise<number> {
  for await (const { line } of linesOf(openFile(file))) {
    return readSeal(line.toString('utf8'))?.sequence ?? 0;
  }
  return 0;
}

function piecesOf(file: string, session: Session): AsyncIterable<Uint8Array | string> {
  return file === STDIN ? session.input() : openFile(file);
}

async function* openFile(file: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const piece of createReadStream(file)) yield piece;
  } catch (cause) {
    readOr(file, () => {
      throw cause;
    });
  }
}

function readOr<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed';
    throw new UsageError(`postern audit verify: ${printable(path)} cannot be read (${code})`);
  }
}

async function takeLines(
  check: ChainCheck,
  file: string,
  pieces: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  let number = 0;
  for await (const { line, isWhole } of linesOf(pieces)) {
    number += 1;
    const at = `${file}:${number}`;
    if (isWhole) check.take(line, at);
    else check.cut(at);
  }
}

/** The lines of a file, as bytes: a digest knows no characters. Of one that is too long for an event only a part. */
async function* linesOf(pieces: AsyncIterable<Uint8Array | string>) {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      yield { line: Buffer.concat([...held, bytes.subarray(from, end)]), isWhole: true };
      held = [];
      heldBytes = 0;
      from = end + 1;
    }
    if (from === bytes.length || heldBytes > LINE_BYTES_MAX) continue;
    held.push(bytes.subarray(from));
    heldBytes += bytes.length - from;
  }
  if (held.length > 0) yield { line: Buffer.concat(held), isWhole: false };
}

function tell(verdict: ChainVerdict, session: Session): void {
  const { events, first, last, faults, unlisted } = verdict;
  for (const fault of faults) session.out(`${printable(fault.at)}: ${writeFault(fault)}`);
  if (unlisted > 0) session.out(`and ${unlisted} more`);
  if (!last || first === undefined) {
    session.out('no event of a chain was found: is audit.chain on?');
    return;
  }
  session.out(`${events} events, the first is ${first}, the last ${last.sequence}`);
  if (first > 1) session.out(`what came before ${first} is in none of the files`);
  session.out(`digest of the last: ${last.digest}`);
  session.out(writeVerdict(verdict));
}

function writeVerdict({ isSound, faults }: ChainVerdict): string {
  if (!isSound) return 'not sound';
  if (faults.length === 0) return 'sound: none is missing or changed';
  return 'sound: all that was written is there, and unchanged';
}

function writeFault({ kind, from, to }: ChainFault): string {
  const numbers = from === to ? `event ${from}` : `events ${from} to ${to}`;
  switch (kind) {
    case 'missing':
      return `${numbers}: taken out before this line`;
    case 'dropped':
      return `${numbers}: never written; Postern itself dropped them before this line`;
    case 'changed':
      return `${numbers}: one of them was changed; this line does not follow from the one before`;
    case 'moved':
      return `${numbers}: not in its place`;
    case 'inserted':
      return `${numbers}: stands there twice; this line was put in`;
    case 'restarted':
      return 'a chain begins anew; --restarts allows it';
    case 'foreign':
      return 'no event of a chain: changed beyond reading, or put in';
    case 'cut':
      return 'the last line has no end';
  }
}
