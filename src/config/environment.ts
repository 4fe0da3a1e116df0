/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process; nothing else reads `process.env`. */
export function readEnvironment(): Environment {
  return { ...process.env };
}
