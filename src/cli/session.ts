import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { type Environment, readEnvironment } from '../config/environment.ts';
import type { Console } from './usage.ts';

/** What a command has around it. */
export type Session = Console & {
  readonly env: Environment;
  readonly now: () => number;
  /** Standard input, in pieces of text. */
  readonly input: () => AsyncIterable<string>;
  /** The person at the terminal; undefined where a script is at work. */
  readonly person?: Person | undefined;
  /** Writes a line of standard error over the one before; undefined where that is no terminal. */
  readonly rewrite?: ((line: string) => void) | undefined;
  /** Whether anybody still reads standard output. */
  readonly isHeard: () => boolean;
};

export type Person = {
  /** Asks on standard error; the answer is a line. */
  readonly ask: (question: string) => Promise<string>;
  /** The same without showing what is typed. */
  readonly askHidden: (question: string) => Promise<string>;
};

/** The session of this process. */
export function openSession(console: Console): Session {
  const isTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
  let isHeard = true;
  process.stdout.once('error', () => {
    isHeard = false;
  });
  return {
    ...console,
    env: readEnvironment(),
    now: Date.now,
    input: () => process.stdin.setEncoding('utf8') as AsyncIterable<string>,
    person: isTerminal ? { ask: (question) => ask(question), askHidden } : undefined,
    rewrite: process.stderr.isTTY === true ? rewrite : undefined,
    isHeard: () => isHeard,
  };
}

/** Back to the beginning of the line, which is emptied first. */
function rewrite(line: string): void {
  process.stderr.write(`\r\u001b[K${line}`);
}

async function ask(question: string, output: NodeJS.WritableStream = process.stderr) {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask('', nowhere);
  } finally {
    process.stderr.write('\n');
  }
}

/** The first line of standard input, without its end; at most `longest` characters of it. */
export async function readFirstLine(session: Session, longest: number): Promise<string> {
  let text = '';
  for await (const piece of session.input()) {
    text += piece;
    if (text.includes('\n') || text.length > longest) break;
  }
  return (text.split(/\r?\n/, 1)[0] ?? '').slice(0, longest + 1);
}
