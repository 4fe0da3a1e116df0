import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaCommand } from '../../src/cli/schema.ts';
import { validateCommand } from '../../src/cli/validate.ts';
import { openDirectory } from '../config/policy-file.ts';

function listen() {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out,
    err,
    console: { out: (line: string) => out.push(line), err: (line: string) => err.push(line) },
  };
}

test('validate names problems and warnings on standard error and sums up on standard output', async () => {
  using directory = openDirectory({
    'good.yaml':
      'issuers: [{ issuer: "https://id.example.com" }]\nroutes: [{ path: /a, access: [jwt] }]\n',
    'bad.yaml': 'routes: [{ paht: /a, access: public }]\n',
  });
  const good = join(directory.path, 'good.yaml');
  const bad = join(directory.path, 'bad.yaml');
  const { out, err, console } = listen();
  expect(await validateCommand([good], console)).toBe(0);
  expect(err).toEqual([
    `warning: ${good}:1:11 issuers[0]: no audience: tokens made for other services are taken too`,
  ]);
  expect(out[0]).toMatch(
    /good\.yaml: sound \(1 route, 0 declared keys, 1 issuer, 1 warning\), policy \w{12}$/,
  );
  expect(await validateCommand([bad], console)).toBe(2);
  expect(err[1]).toBe(`error: ${bad}:1:12 routes[0].paht: unknown key; did you mean "path"?`);
  expect(out[1]).toBe(`${bad}: 1 problem, 0 warnings`);
});

test('validate wants exactly one path', async () => {
  await expect(validateCommand([], listen().console)).rejects.toThrow('postern validate PATH');
});

test('schema prints the JSON Schema', async () => {
  const { out, console } = listen();
  expect(await schemaCommand([], console)).toBe(0);
  expect(JSON.parse(out.join('\n'))).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Postern policy',
    required: ['routes'],
  });
});
