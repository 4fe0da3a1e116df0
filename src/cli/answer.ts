import type { Answer } from './client.ts';
import { printable, printableJson } from './printable.ts';
import type { Session } from './session.ts';
import { isShown } from './table.ts';

/** A text of an object; undefined when there is none. */
export function textOf(shown: unknown, field: string): string | undefined {
  const value = isShown(shown) ? shown[field] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** Whether the API did what it was asked. */
export function isDone({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** How a refusal is told: which options the command has, and whether a program reads along. */
export type Telling = {
  readonly options: { readonly [name: string]: unknown };
  readonly isJson: boolean;
};

/** Tells why the API refused, and what to do: to people on standard error, with --json as its document too. */
export function tellRefusal(answer: Answer, session: Session, telling: Telling): number {
  if (telling.isJson) session.out(printableJson(answer.body));
  for (const line of [...writeRefusal(answer, telling.options), ...writeAdvice(answer)]) {
    session.err(line);
  }
  return 1;
}

/** The lines of a refusal: what it is, what is wrong where, and how to find it in the log. */
export function writeRefusal(
  { status, body }: Answer,
  options: Telling['options'],
): readonly string[] {
  const reason = textOf(body, 'reason') ?? textOf(body, 'error');
  const said = textOf(body, 'detail') ?? textOf(body, 'message') ?? textOf(body, 'title');
  const request = textOf(body, 'request_id');
  const lines = [
    `refused: ${said ?? `status ${status}`} (${reason === undefined ? status : `${status} ${reason}`})`,
    ...errorsOf(body).map(
      ({ pointer, detail }) => `  ${pointer}${optionOf(pointer, options)}: ${detail}`,
    ),
    ...(request === undefined ? [] : [`request: ${request}`]),
  ];
  return lines.map(printable);
}

/** The wrong fields that a refusal names. */
export function errorsOf(
  body: unknown,
): readonly { readonly pointer: string; readonly detail: string }[] {
  const errors = isShown(body) ? body['errors'] : undefined;
  if (!Array.isArray(errors)) return [];
  return errors.map((one) => ({
    pointer: textOf(one, 'pointer') ?? '',
    detail: textOf(one, 'detail') ?? '',
  }));
}

/** The option that a pointer is about, ` (--allowed-ips)`, or nothing. */
function optionOf(pointer: string, options: Telling['options']): string {
  const field = pointer.replace(/^\//, '').split('/', 1)[0] ?? '';
  const name = field.replace(/_id$/, '').replaceAll('_', '-');
  return Object.hasOwn(options, name) ? ` (--${name})` : '';
}

const ADVICE: { readonly [reason: string]: string } = {
  read_only: 'it is declared in the policy file: change it there',
  beyond_grant: 'use a credential that holds what it is to give',
  insufficient_scope: 'use a credential with the scope that this needs',
  version_mismatch: 'somebody changed it meanwhile: show it again, then repeat',
  key_revoked: 'a revoked key stays revoked: create another',
  already_exists: 'choose another id, or update the one that exists',
  not_found: 'see the list: it does not exist, or belongs to another workspace',
};

/** What to do about a refusal, where there is something to say. */
function writeAdvice(answer: Answer): readonly string[] {
  const advice = adviceFor(answer);
  return advice === undefined ? [] : [`what to do: ${advice}`];
}

function adviceFor({ status, headers, body }: Answer): string | undefined {
  if (status === 401) return 'check POSTERN_TOKEN or --token-file: this credential is not taken';
  const reason = textOf(body, 'reason') ?? '';
  if (Object.hasOwn(ADVICE, reason)) return ADVICE[reason];
  const wait = headers.get('retry-after');
  if (wait !== null && /^\d{1,9}$/.test(wait)) return `try again in ${wait} s`;
  return status === 404 ? ADVICE['not_found'] : undefined;
}
