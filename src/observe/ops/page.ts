/** An answer of the operations listener; `headers` are beside those that every answer has. */
export type Page = {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: { readonly [name: string]: string } | undefined;
};

/** A page for programs. */
export function json(status: number, body: object): Page {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}
