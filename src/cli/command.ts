import type { Given, Options } from './arguments.ts';
import type { Session } from './session.ts';

/** A command: how it is typed, what it is for, and what it does. */
export type Command = {
  /** Its words: `keys create`. */
  readonly name: string;
  /** A short sentence for the list of commands. */
  readonly summary: string;
  readonly operands?: readonly string[] | undefined;
  readonly options: Options;
  /** More lines for its own help. */
  readonly notes?: readonly string[] | undefined;
  /** The answer is the exit code. */
  readonly run: (given: Given, session: Session) => Promise<number>;
};

/** The option of every command whose result a program may read. */
export const JSON_OPTION: Options = { json: { help: 'print what the API answered, as JSON' } };

/** The option of commands that ask a person before they do what cannot be undone. */
export const YES_OPTION: Options = { yes: { help: 'do not ask at a terminal' } };
