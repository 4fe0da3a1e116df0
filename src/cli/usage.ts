/** Where a command prints: results to standard output, everything else to standard error. */
export type Console = {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
};

/** The command line is wrong; the message says how it is right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
