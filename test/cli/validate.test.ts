import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDirectory } from '../config/policy-file.ts';
import { run } from './shell.ts';

test('validate names problems and warnings on standard error and sums up on standard output', async () => {
  using directory = openDirectory({
    'good.yaml':
      'issuers: [{ issuer: "https://id.example.com" }]\nroutes: [{ path: /a, access: [jwt] }]\n',
    'bad.yaml': 'routes: [{ paht: /a, access: public }]\n',
  });
  const good = join(directory.path, 'good.yaml');
  const bad = join(directory.path, 'bad.yaml');
  expect(await run(['validate', good])).toEqual({
    code: 0,
    out: expect.stringMatching(
      /good\.yaml: sound \(1 route, 0 declared keys, 1 issuer, 1 warning\), policy \w{12}$/,
    ),
    err: `warning: ${good}:1:11 issuers[0]: no audience: tokens made for other services are taken too`,
  });
  expect(await run(['validate', bad])).toEqual({
    code: 2,
    out: `${bad}: 1 problem, 0 warnings`,
    err: `error: ${bad}:1:12 routes[0].paht: unknown key; did you mean "path"?`,
  });
});

test('validate wants exactly one path', async () => {
  expect(await run(['validate'])).toMatchObject({ code: 2, err: expect.stringContaining('PATH') });
  expect(await run(['validate', 'a', 'b'])).toMatchObject({ code: 2 });
});

test('schema prints the JSON Schema', async () => {
  const { code, out } = await run(['schema']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Postern policy',
    required: ['routes'],
  });
});
