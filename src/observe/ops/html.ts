/** Text that is HTML already. */
export type Markup = { readonly markup: string };

type Part = string | number | Markup | readonly Markup[] | undefined;

/** A template of HTML: every value is escaped, but markup; undefined is nothing. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const written = parts.map((part, at) => `${write(part)}${texts[at + 1]}`);
  return { markup: `${texts[0]}${written.join('')}` };
}

function write(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('');
}

const ESCAPES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** A time span in its two largest units, as `3 h 12 min`; at least `0 s`. */
export function writeSpan(spanMs: number): string {
  let seconds = Math.max(0, Math.floor(spanMs / 1000));
  const parts = UNITS.map(([unit, length]) => {
    const count = Math.floor(seconds / length);
    seconds -= count * length;
    return { count, text: `${count} ${unit}` };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  if (first === -1) return '0 s';
  const two = parts.slice(first, first + 2).filter(({ count }) => count > 0);
  return two.map(({ text }) => text).join(' ');
}

/** A moment for people, in UTC; the whole of it stands in `datetime`. */
export function writeTime(time: Date): Markup {
  const iso = time.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

/** A count for people, in groups of three. */
export function writeCount(count: number): string {
  return count.toLocaleString('en-US');
}
