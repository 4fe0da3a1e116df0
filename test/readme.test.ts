import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startEcho } from '../scripts/lib/echo-upstream.ts';
import { runCommand } from '../src/cli/commands.ts';
import { describeEnvoy, startEnvoy } from './envoy-harness/envoy.ts';
import { startPostern } from './envoy-harness/postern.ts';

const ROOT = join(import.meta.dirname, '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The blocks of one language, in order. */
function blocks(language: string): readonly string[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...README.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Lines without their indentation, and without what is different each time. */
function comparable(text: string): readonly string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().replace(/"request_id":"[^"]+"/, '"request_id":"..."'));
}

describeEnvoy('the examples of the README', () => {
  test('each curl line prints what the README says', async () => {
    const examples = blocks('console');
    expect(examples).toHaveLength(2);
    const echo = await startEcho();
    const policy = { path: join(ROOT, 'examples', 'policy.yaml') };
    const postern = await startPostern({ policy });
    const checkAddress = postern.checkAddress;
    const envoy = await startEnvoy({ checkAddress, upstreamPort: echo.port });
    try {
      for (const example of examples) {
        const [command = '', ...printed] = example.split('\n');
        const line = command
          .replace(/^\$ /, '')
          .replace('127.0.0.1:10000', `127.0.0.1:${envoy.port}`);
        const { stdout } = await promisify(execFile)('bash', ['-c', line]);
        expect(comparable(stdout)).toEqual(comparable(printed.join('\n')));
      }
    } finally {
      await envoy.stop();
      await postern.stop();
      echo.server.close();
    }
  });
});

test('the ten-line policy is ten lines and sound', async () => {
  const [policy = ''] = blocks('yaml');
  expect(policy.trimEnd().split('\n')).toHaveLength(10);
  const folder = mkdtempSync(join(tmpdir(), 'postern-readme-'));
  writeFileSync(join(folder, 'policy.yaml'), policy);
  const printed: string[] = [];
  const print = (line: string) => void printed.push(line);
  const code = await runCommand(['validate', join(folder, 'policy.yaml')], {
    out: print,
    err: print,
  });
  rmSync(folder, { recursive: true });
  expect(printed.join('\n')).toContain('sound');
  expect(code).toBe(0);
});

test.each(['allowed', 'denied', 'ten lines'])('the first screen shows what is %s', (word) => {
  const firstScreen = README.split('\n').slice(0, 40).join('\n').toLowerCase();
  expect(firstScreen).toContain(word);
});
