import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SRC = join(import.meta.dirname, '..', 'src');

type Rule = {
  readonly rule: string;
  readonly files: string;
  readonly except: readonly string[];
  readonly pattern: RegExp;
  readonly example: string;
};

/** What the linter cannot say, or says only for the ways it knows. */
const RULES: readonly Rule[] = [
  {
    rule: 'core/ is told the time',
    files: 'core/**/*.ts',
    except: [],
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bperformance\b/,
    example: 'const nowMs = Date.now();',
  },
  {
    rule: 'core/ is given its randomness',
    files: 'core/**/*.ts',
    except: [],
    pattern: /\bMath\.random\b|\brandom(?:Bytes|UUID|Int|FillSync|Fill)\b|\bgetRandomValues\b/,
    example: "import { randomBytes } from 'node:crypto';",
  },
  {
    rule: 'protocol buffers are spoken in envoy/ only',
    files: '**/*.ts',
    except: ['envoy/'],
    pattern: /['"](?:protobufjs|@grpc\/proto-loader)\b/,
    example: "import { Root } from 'protobufjs';",
  },
  {
    rule: 'gRPC is spoken in envoy/ only',
    files: '**/*.ts',
    except: ['envoy/'],
    pattern: /['"]@grpc\/grpc-js['"]/,
    example: "import { Server } from '@grpc/grpc-js';",
  },
  {
    rule: 'the environment is read in config/ only',
    files: '**/*.ts',
    except: ['config/'],
    pattern: /\bprocess\s*\.\s*env\b|\bprocess\[|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/,
    example: 'const home = process.env.HOME;',
  },
  {
    rule: 'nothing is imported in a way that the linter cannot follow',
    files: '**/*.ts',
    except: [],
    pattern: /\brequire\(|\bcreateRequire\b|\bimport\(\s*[^'"\s]/,
    example: 'const store = await import(name);',
  },
];

const ADAPTERS = ['api', 'config', 'envoy', 'jwt', 'oauth', 'observe', 'store'];

test.each(RULES)('$rule', ({ files, except, pattern, example }) => {
  expect(example, 'the pattern must be able to find something').toMatch(pattern);
  const offenders = globSync(files, { cwd: SRC })
    .filter((file) => !except.some((folder) => file.startsWith(folder)))
    .flatMap((file) => offendingLines(file, pattern));
  expect(offenders).toEqual([]);
});

test.each(ADAPTERS)('%s/ imports no other adapter', (adapter) => {
  const others = ADAPTERS.filter((other) => other !== adapter).join('|');
  const pattern = new RegExp(
    `from '(?:\\.\\./)+(?:${others})/|from '(?:\\.\\./)+(?:app|main)\\.ts'`,
  );
  const offenders = globSync(`${adapter}/**/*.ts`, { cwd: SRC }).flatMap((file) =>
    offendingLines(file, pattern),
  );
  expect(offenders).toEqual([]);
});

test('schema/ imports core/ and itself only', () => {
  const pattern = /from '(?:\.\.\/)+(?!core\/)/;
  const offenders = globSync('schema/**/*.ts', { cwd: SRC }).flatMap((file) =>
    offendingLines(file, pattern),
  );
  expect(offenders).toEqual([]);
});

test('core/ is flat, so that ./ is all of it', () => {
  expect(globSync('core/*/**', { cwd: SRC })).toEqual([]);
});

function offendingLines(file: string, pattern: RegExp): readonly string[] {
  return readFileSync(join(SRC, file), 'utf8')
    .split('\n')
    .map((line, index) => ({ line: withoutComment(line), at: `${file}:${index + 1}` }))
    .filter(({ line }) => pattern.test(line))
    .map(({ line, at }) => `${at} ${line.trim()}`);
}

function withoutComment(line: string): string {
  return /^\s*(?:\/\*|\*|\/\/)/.test(line) ? '' : line;
}
