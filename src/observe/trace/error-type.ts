/** What a class, a function or a system names an error: nothing that anybody could send. */
const NAME = /^[A-Za-z][\w.]{0,63}$/;
const CAUSES_MAX = 8;

/** The kind of a failure, of its innermost cause: the code that a system gave it, else its name. Never its message. */
export function errorType(cause: unknown): string {
  let inner = cause;
  for (let depth = 0; depth < CAUSES_MAX; depth += 1) {
    if (!(inner instanceof Error) || !(inner.cause instanceof Error)) break;
    inner = inner.cause;
  }
  if (!(inner instanceof Error)) return '_OTHER';
  const code = 'code' in inner ? inner.code : undefined;
  for (const name of [code, inner.name, inner.constructor.name]) {
    if (typeof name === 'string' && NAME.test(name)) return name;
  }
  return '_OTHER';
}
