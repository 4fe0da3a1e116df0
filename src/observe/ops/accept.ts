/** How a page is written. */
export type Format = 'html' | 'json';

/**
 * The format that a request asks for: `?format=` says so, else Accept does (RFC 9110 section 12.5.1). HTML only where it
 * is preferred by name, as browsers do; JSON for everything else. Undefined for a format that there is none of.
 */
export function formatOf(query: URLSearchParams, accept: string | undefined): Format | undefined {
  const asked = query.get('format');
  if (asked !== null) return asked === 'html' || asked === 'json' ? asked : undefined;
  const ranges = readAccept(accept ?? '');
  const json = ranges.get('application/json') ?? ranges.get('application/*') ?? ranges.get('*/*');
  return (ranges.get('text/html') ?? 0) > (json ?? 0) ? 'html' : 'json';
}

/** Media ranges to their weights; what is no weight counts as 0. */
function readAccept(accept: string): ReadonlyMap<string, number> {
  return new Map(
    accept.split(',').map((one) => {
      const [range = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='));
      return [range, weight === undefined ? 1 : Number(weight.slice(2)) || 0];
    }),
  );
}
