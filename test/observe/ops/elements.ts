/** An element of a page: `path` are the names of those around it and its own, `text` what it holds without tags. */
export type Element = {
  readonly path: string;
  readonly attributes: { readonly [name: string]: string };
  readonly text: string;
};

const VOID = new Set(['meta', 'link', 'br', 'hr', 'img', 'input']);
const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*(\/?)>/y;
const TEXT = /[^<>&]+|&(?:amp|lt|gt|quot|#39);/y;

type Open = { readonly name: string; readonly from: number; readonly at: number };
type Reading = {
  readonly elements: { path: string; attributes: Element['attributes']; text: string }[];
  readonly open: Open[];
  text: string;
};

/**
 * Reads a page that we wrote. It is stricter than HTML: every tag is closed in order, every attribute quoted, every stray
 * character escaped. Throws where that is not so.
 */
export function readElements(page: string): readonly Element[] {
  const body = page.replace(/^<!doctype html>\n/, '').replace(/(<style>)[^<]*(<\/style>)/, '$1$2');
  const reading: Reading = { elements: [], open: [], text: '' };
  for (let at = 0; at < body.length; ) {
    TEXT.lastIndex = at;
    TAG.lastIndex = at;
    const tag = TAG.exec(body);
    const found = tag?.[0] ?? TEXT.exec(body)?.[0];
    if (found === undefined) throw new Error(`neither text nor a tag: ${body.slice(at, at + 60)}`);
    at += found.length;
    if (tag) readTag(reading, tag);
    else reading.text += found;
  }
  const [left] = reading.open;
  if (left) throw new Error(`<${left.name}> is not closed`);
  return reading.elements;
}

function readTag(reading: Reading, [, slash, name = '', written = '', isEmpty]: RegExpExecArray) {
  const { elements, open, text } = reading;
  if (slash) {
    const last = open.pop();
    const element = elements[last?.at ?? -1];
    if (last?.name !== name || !element) throw new Error(`</${name}> ends <${last?.name}>`);
    element.text = text.slice(last.from);
    return;
  }
  const path = [...open.map((one) => one.name), name].join(' ');
  elements.push({ path, attributes: readAttributes(written), text: '' });
  if (!VOID.has(name) && !isEmpty) open.push({ name, from: text.length, at: elements.length - 1 });
}

function readAttributes(written: string): Element['attributes'] {
  const pairs = [...written.matchAll(/\s([a-zA-Z-]+)(?:="([^"]*)")?/g)];
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]));
}
