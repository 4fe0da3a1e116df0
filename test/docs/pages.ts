import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The root of the project. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** A page of the documentation. */
export type Page = { readonly path: string; readonly text: string };

/** A block of a page: its language, and its lines. */
export type Block = { readonly language: string; readonly lines: readonly string[] };

/** A page by its path from the root. */
export function readPage(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** Every page that people read, by path from the root. */
export function allPages(): readonly Page[] {
  return globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).sort().map(readPage);
}

/** The fenced blocks of a page, in order. */
export function blocksOf({ text }: Page): readonly Block[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', content = '']) => ({
    language,
    lines: content.trimEnd().split('\n'),
  }));
}

/** What stands between backticks in the running text of a page. */
export function spansOf({ text }: Page): readonly string[] {
  const running = text.replaceAll(/^```.*?^```$/gms, '');
  return [...running.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replaceAll(/\s+/g, ' '));
}

/** The headings of a page as the anchors that links name. */
export function anchorsOf({ text }: Page): ReadonlySet<string> {
  const headings = text.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#+ (.+)$/gm);
  const anchors = [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  return new Set(anchors);
}

/** Links of a page to files of the project: the path from the page, and the anchor. */
export function linksOf({
  text,
}: Page): readonly { readonly file: string; readonly anchor: string }[] {
  const links = text.replaceAll(/`[^`\n]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g);
  return [...links]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor = ''] = target.split('#');
      return { file, anchor };
    });
}
