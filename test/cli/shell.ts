import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { runCommand } from '../../src/cli/commands.ts';
import type { Person, Session } from '../../src/cli/session.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const PROGRAM_MS = 15_000;

/** What a command printed, and its exit code. */
export type Ran = {
  readonly code: number;
  readonly out: string;
  readonly err: string;
};

export type Around = {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** What a person at the terminal answers; without it a script is at work. */
  readonly answer?: string;
  readonly nowMs?: number;
  /** After so many lines nobody reads standard output any more. */
  readonly heardLines?: number;
};

/** Runs a command in this process, without its environment. */
export async function run(args: readonly string[], around: Around = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const { answer, input = '', nowMs = Date.now() } = around;
  const ask = async (question: string) => {
    err.push(question);
    return answer ?? '';
  };
  const person: Person | undefined = answer === undefined ? undefined : { ask, askHidden: ask };
  const session: Session = {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    env: around.env ?? {},
    now: () => nowMs,
    input: () => piecesOf(input),
    person,
    isHeard: () => out.length < (around.heardLines ?? Number.POSITIVE_INFINITY),
  };
  const code = await runCommand(args, session, session).catch((cause) => {
    // As main.ts tells it.
    err.push(`postern: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** A text in pieces that cut through its lines. */
export async function* piecesOf(text: string, size = 7): AsyncGenerator<string, void, undefined> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

/** Runs the real program in a folder of its own. */
export function runProgram(
  args: readonly string[],
  { cwd, env = {}, input = '' }: { readonly cwd: string } & Pick<Around, 'env' | 'input'>,
): Promise<Ran> {
  return new Promise((resolve) => {
    const { PATH = '', HOME = '' } = process.env;
    const options = { cwd, env: { PATH, HOME, ...env }, timeout: PROGRAM_MS };
    const child = execFile(process.execPath, [MAIN, ...args], options, (cause, out, err) => {
      const code = cause === null ? 0 : Number(cause.code ?? -1);
      resolve({ code, out: out.trimEnd(), err: err.trimEnd() });
    });
    child.stdin?.end(input);
  });
}
