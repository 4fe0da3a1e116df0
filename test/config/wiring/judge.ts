import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { compilePolicy } from '../../../src/config/compile.ts';
import { loadPolicy } from '../../../src/config/load.ts';
import { writeProblem } from '../../../src/config/problem.ts';
import { readSettings } from '../../../src/config/settings.ts';
import { readNeeds } from '../../../src/config/wiring/needs.ts';
import { reviewWiring } from '../../../src/config/wiring/review-wiring.ts';
import { NOW_MS, openDirectory } from '../policy-file.ts';

/** The bootstrap of this project. */
export const BOOTSTRAP = readFileSync(
  join(import.meta.dirname, '..', '..', '..', 'envoy.yaml'),
  'utf8',
);

/** The same with one mapper of local replies, and without comments: quicker to read again and again. */
export const SHORT = shorten(BOOTSTRAP);

const ROUTES = 'routes: [{ path: /v1/**, access: [api_key] }]';

/** Judges files by a policy, of which `more` is what stands beside one plain route. */
export async function judge(files: Readonly<Record<string, string>>, more = '') {
  const text = more.includes('routes:') ? more : `${more}\n${ROUTES}`;
  using directory = openDirectory({ 'policy.yaml': text });
  const path = join(directory.path, 'policy.yaml');
  const loaded = loadPolicy({ path, env: {}, nowMs: NOW_MS });
  const { config, hash, problems } = loaded;
  if (!config) throw new Error(problems.map(writeProblem).join('\n'));
  const needs = readNeeds(await compilePolicy({ config, hash }), readSettings(config));
  const sources = Object.entries(files).map(([file, content]) => ({ file, text: content }));
  const review = reviewWiring(sources, needs);
  return {
    names: [...new Set(review.warnings.map(({ name }) => name))].sort(),
    warnings: review.warnings.map(({ name, problem }) => writeProblem({ ...problem, path: name })),
    problems: review.problems.map(writeProblem),
  };
}

function shorten(text: string): string {
  const bootstrap = parse(text);
  const [listener] = bootstrap.static_resources.listeners;
  const { local_reply_config: replies } = listener.filter_chains[0].filters[0].typed_config;
  replies.mappers.splice(1);
  return stringify(bootstrap, { aliasDuplicateObjects: false });
}
