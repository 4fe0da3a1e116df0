import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script and the SHA-1 that Redis knows it by. */
export type Script = { readonly name: string; readonly text: string; readonly sha: string };

/** Reads a script of `lua/`, with the files that it builds on before it. */
export function readScript(name: string, ...before: readonly string[]): Script {
  const text = [...before, name]
    .map((file) => readFileSync(new URL(`./lua/${file}.lua`, import.meta.url), 'utf8'))
    .join('\n');
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}
