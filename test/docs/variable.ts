/** What is different in every run, by what it is; the first that fits counts. */
const VARIABLE = {
  admin: /\bpostern_admin_[0-9A-Za-z]{38}\b/,
  key: /\bpst_[0-9A-Za-z]{38}\b/,
  id: /\b[0-9A-Za-z]{27}\b/,
  time: /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/,
  address: /\b\d+(?:\.\d+){3}:\d+\b/,
  shown: /\bpst_[0-9A-Za-z]{2}\b/,
};
const ANY = new RegExp(
  Object.entries(VARIABLE)
    .map(([name, { source }]) => `(?<${name}>${source})`)
    .join('|'),
  'g',
);

/** A line with every variable part replaced by what it is: `created service key <id> "ci"`. */
export function formOf(line: string): string {
  return line.trimEnd().replaceAll(ANY, (...found) => `<${nameOf(found.at(-1))}>`);
}

/** The variable parts of a text, in order. */
export function variablesOf(text: string): readonly string[] {
  return [...text.matchAll(ANY)].map(([part]) => part);
}

/** Replaces in a command what an earlier command printed otherwise than the page. */
export function withActual(command: string, actual: ReadonlyMap<string, string>): string {
  return command.replaceAll(ANY, (part) => actual.get(part) ?? part);
}

function nameOf(groups: { readonly [name: string]: string | undefined }): string {
  return Object.entries(groups).find(([, part]) => part !== undefined)?.[0] ?? '';
}
