import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Operation = {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, unknown>> }>
  >;
};
type Document = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

/** What came back from the API. */
export type Came = {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  /** Parsed JSON, or undefined for no body. */
  readonly body: unknown;
};

/**
 * Makes a judge of answers: each must have a status that the document (OpenAPI 3.1) names for its operation, and a
 * body that is exactly of the schema there. Answers of paths and methods that it does not name are 404 and 405.
 */
export function createJudge(document: Document): (came: Came) => readonly string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(document, 'openapi');
  const compiled = new Map<string, ValidateFunction>();
  const validatorOf = (place: readonly string[]) => {
    const ref = `openapi#/${place.map(escaped).join('/')}`;
    const validate = compiled.get(ref) ?? ajv.compile({ $ref: ref });
    compiled.set(ref, validate);
    return validate;
  };
  return (came) => {
    const told = `${came.method} ${came.path} -> ${came.status}`;
    const found = findContent(document, came);
    if ('problem' in found) return found.problem === '' ? [] : [`${told}: ${found.problem}`];
    const validate = validatorOf(found.place);
    if (validate(came.body)) return [];
    return (validate.errors ?? []).map(
      (error) => `${told}: ${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
    );
  };
}

/** Where the schema of an answer stands; or what is wrong with it, nothing for an answer that has no body to judge. */
function findContent(
  document: Document,
  { method, path, status, contentType, body }: Came,
): { readonly place: readonly string[] } | { readonly problem: string } {
  const found = findOperation(document, method === 'HEAD' ? 'GET' : method, path);
  if (typeof found === 'number') {
    return { problem: status === found ? '' : `not in the document, expected ${found}` };
  }
  const response = found.operation.responses[String(status)];
  if (!response) return { problem: 'the status is not documented' };
  if (body === undefined) {
    const isEmpty = method === 'HEAD' || !response.content;
    return { problem: isEmpty ? '' : 'no body where one is documented' };
  }
  const type = contentType?.split(';')[0] ?? '';
  if (!response.content?.[type]) return { problem: `a body of ${type} is not documented` };
  return { place: [...found.place, 'responses', String(status), 'content', type, 'schema'] };
}

/** The operation, or the status that a request without one is answered with. */
function findOperation(document: Document, method: string, target: string) {
  const path = target.replace(/\?.*$/s, '');
  const literal = Object.keys(document.paths).filter((one) => matches(one, path));
  const best = literal.sort((one, other) => holes(one) - holes(other))[0];
  if (best === undefined) return 404;
  const operation = document.paths[best]?.[method.toLowerCase()];
  return operation ? { operation, place: ['paths', best, method.toLowerCase()] } : 405;
}

function matches(template: string, path: string): boolean {
  const parts = template.split('/');
  const sent = path.split('/');
  if (parts.length !== sent.length) return false;
  return parts.every((part, at) => part.startsWith('{') || part === sent[at]);
}

function holes(template: string): number {
  return template.split('{').length;
}

function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
