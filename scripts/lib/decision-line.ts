/** Writes an audit line for a reader: time, verdict, request, who, how long. */
export function decisionLine(line: { readonly [field: string]: unknown }): string {
  const text = (field: string) => (line[field] === undefined ? '' : String(line[field]));
  const time = text('time').slice(11, 23);
  const verdict = `${text('decision').toUpperCase()} ${text('reason')}`.trimEnd().padEnd(25);
  const request = `${text('http_method')} ${text('path')}`.padEnd(24);
  const facts = [
    ['route', text('route')],
    ['user', text('username')],
    ['key', text('key_id')],
    ['from', text('address')],
    ['took', `${text('took_us')} us`],
  ].filter(([, value]) => value !== '');
  return `${time}  ${verdict}  ${request}  ${facts.map((fact) => fact.join(' ')).join(', ')}`;
}
