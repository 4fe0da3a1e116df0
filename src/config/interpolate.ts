import type { Environment } from './environment.ts';

/** Where placeholders are looked up; `findFile` answers a file's content. */
export type Lookups = {
  readonly env: Environment;
  readonly findFile: (path: string) => string | undefined;
};

/** A text with its placeholders replaced, or what could not be replaced. */
export type Interpolated = { readonly text: string } | { readonly problem: string };

const PLACEHOLDER = /\$\$\{|\$\{([^}]*)(\}?)/g;

/**
 * Replaces `${NAME}`, `${NAME:-default}` (used when NAME is unset or empty, as in a shell) and `${file:/path}`
 * (trimmed); `$${` is a literal `${`. What is put in is not read again.
 */
export function interpolate(text: string, lookups: Lookups): Interpolated {
  if (!text.includes('${')) return { text };
  let problem: string | undefined;
  const replaced = text.replaceAll(PLACEHOLDER, (whole, inner: string, end: string) => {
    if (whole === '$${') return '${';
    const found = end === '' ? { problem: 'a placeholder ends with "}"' } : lookUp(inner, lookups);
    if ('text' in found) return found.text;
    problem ??= found.problem;
    return whole;
  });
  return problem === undefined ? { text: replaced } : { problem };
}

function lookUp(inner: string, { env, findFile }: Lookups): Interpolated {
  if (inner.startsWith('file:')) {
    const path = inner.slice(5);
    const content = path === '' ? undefined : findFile(path);
    return content === undefined
      ? { problem: `the file ${JSON.stringify(path)} cannot be read` }
      : { text: content.trim() };
  }
  const parts = /^([A-Za-z_]\w*)(?::-([\s\S]*))?$/.exec(inner);
  const name = parts?.[1];
  if (name === undefined || parts?.[2]?.includes('${')) {
    return {
      problem: 'expected ${NAME}, ${NAME:-default} or ${file:/path}; "$${" is a literal "${"',
    };
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  const fallback = parts?.[2];
  if (fallback !== undefined) return { text: value || fallback };
  return value === undefined
    ? { problem: `the environment variable ${name} is not set` }
    : { text: value };
}
