import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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

describe('validate --envoy', () => {
  const POLICY = 'routes: [{ path: /a, access: [api_key] }]\n';
  const FILTER =
    '"@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz\n';
  const SOUND =
    'extAuth: { grpc: { backendSettings: { retry: {} } }, timeout: 1s, statusOnError: 503 }';
  const GATEWAY = `apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: SecurityPolicy\nspec:\n  ${SOUND}\n`;
  const NAMES = ['no_raw_headers', 'no_validate_mutations', 'charged_refusals'];
  const files = {
    'policy.yaml': POLICY,
    'loose.yaml': GATEWAY,
    'broken.yaml': 'a: [',
    'filter.json': FILTER,
  };

  test('names each warning with its place, and stops nothing', async () => {
    using directory = openDirectory(files);
    const [policy, loose] = ['policy.yaml', 'loose.yaml'].map((name) => join(directory.path, name));
    const { code, out, err } = await run(['validate', policy ?? '', '--envoy', loose ?? '']);
    expect(code).toBe(0);
    expect(out).toMatch(/sound \(1 route, 0 declared keys, 0 issuers, 3 warnings\)/);
    expect(err.split('\n')).toEqual(
      NAMES.map((name) => expect.stringContaining(`warning: ${loose}:4:3 ${name}: `)),
    );
  });

  test.each<[string, readonly string[], number]>([
    ['--strict makes warnings fail', ['--strict', '--envoy', 'loose.yaml'], 1],
    [
      'but not those that are left out',
      ['--strict', '--envoy=loose.yaml', ...NAMES.map((name) => `--ignore=${name}`)],
      0,
    ],
    ['a broken file is a problem', ['--envoy', 'loose.yaml', '--envoy', 'broken.yaml'], 2],
    ['a missing file is a problem', ['--envoy', 'nowhere.yaml'], 2],
    ['a file of JSON by another name', ['--envoy', 'filter.json'], 0],
    [
      'a misspelt name is a wrong command line',
      ['--envoy', 'loose.yaml', '--ignore=no_raw_header'],
      2,
    ],
    ['without files nothing is judged', ['--strict'], 0],
  ])('%s', async (_name, args, code) => {
    using directory = openDirectory(files);
    const here = args.map((arg) =>
      arg.replace(/[a-z]+\.(?:yaml|json)$/, (file) => join(directory.path, file)),
    );
    expect((await run(['validate', join(directory.path, 'policy.yaml'), ...here])).code).toBe(code);
  });

  test('--json holds the same for programs', async () => {
    using directory = openDirectory(files);
    const [policy, loose] = ['policy.yaml', 'loose.yaml'].map((name) => join(directory.path, name));
    const { code, out, err } = await run(['validate', policy ?? '', `--envoy=${loose}`, '--json']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({
      policy: { path: policy, sound: true, problems: [], warnings: [] },
      wiring: {
        problems: [],
        warnings: NAMES.map((name) => ({
          name,
          file: loose,
          line: 4,
          column: 3,
          path: 'spec.extAuth',
          docs: `docs/wiring.md#${name}`,
        })),
      },
    });
  });
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
