import { expect, test } from 'vitest';
import { readSettings } from '../../src/config/settings.ts';
import { load } from './policy-file.ts';

const ROUTES = 'routes: [{ path: /a, access: public }]\n';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const WEBHOOK = `{ webhook: { url: "https://siem.example.com/x", secret: ${SECRET} } }`;
const SPOOL =
  'needs audit.spool, a folder where events wait, such as spool: /var/lib/postern/audit';

const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'far sinks without a spool',
    `store: redis://127.0.0.1
audit: { sinks: [{ redis: {} }, ${WEBHOOK}] }
`,
    [
      `policy.yaml:2:18 audit.sinks[0]: a redis sink ${SPOOL}`,
      `policy.yaml:2:33 audit.sinks[1]: a webhook sink ${SPOOL}`,
    ],
  ],
  [
    'a stream without a Redis',
    `audit: { spool: s, sinks: [{ redis: {} }] }
`,
    ['policy.yaml:1:28 audit.sinks[0]: needs a url: the store is no Redis whose own could serve'],
  ],
  [
    'one place for two sinks',
    `audit: { sinks: [stdout, { stdout: { format: ocsf } }, { file: { path: a } }, { file: { path: a } }] }
`,
    [
      'policy.yaml:1:26 audit.sinks[1]: another sink goes to the same place',
      'policy.yaml:1:79 audit.sinks[3]: another sink goes to the same place',
    ],
  ],
  [
    'one file under two names',
    `audit: { sinks: [{ file: { path: a.jsonl } }, { file: { path: ./a.jsonl } }] }
`,
    ['policy.yaml:1:47 audit.sinks[1]: another sink goes to the same place'],
  ],
  [
    'a kind of sink that is not known',
    `audit: { sinks: [{ kafka: { url: x } }] }
`,
    [
      'policy.yaml:1:20 audit.sinks[0].kafka: unknown key; expected one of "stdout", "file", "redis", "webhook"',
    ],
  ],
  [
    'a misspelt kind of sink',
    `audit: { sinks: [{ fiel: { path: a } }] }
`,
    ['policy.yaml:1:20 audit.sinks[0].fiel: unknown key; did you mean "file"?'],
  ],
  [
    'two kinds in one sink',
    `audit: { sinks: [{ file: { path: a }, stdout: {} }] }
`,
    ['policy.yaml:1:18 audit.sinks[0]: expected only one of "stdout", "file", "redis", "webhook"'],
  ],
  [
    'a sink with a strange key beside its own, and a problem within',
    `audit: { sinks: [{ file: { path: "" }, max: 3 }] }
`,
    [
      'policy.yaml:1:34 audit.sinks[0].file.path: expected a text that is not empty',
      'policy.yaml:1:40 audit.sinks[0].max: unknown key; expected "file"',
    ],
  ],
  [
    'a stream at an address that is none',
    `audit: { spool: s, sinks: [{ redis: { url: "http://127.0.0.1" } }] }
`,
    ['policy.yaml:1:44 audit.sinks[0].redis.url: expected redis://host:port or rediss://host:port'],
  ],
  [
    'a time that is a number',
    `audit: { keep: 30 }
`,
    ['policy.yaml:1:16 audit.keep: expected a duration such as 5s, 10m, 24h or 30d, got a number'],
  ],
  [
    'a word that is neither false nor a map',
    `alerts: { unusual: off }
`,
    ['policy.yaml:1:20 alerts.unusual: expected false or a map'],
  ],
  [
    'a key that can be guessed',
    `audit: { chain: { key: guess me } }
`,
    ['policy.yaml:1:24 audit.chain.key: expected at least 32 characters, which nobody can guess'],
  ],
];

test.each(CASES)('%s: every problem is told with its place', (_, text, problems) => {
  const found = load(text + ROUTES);
  expect(found.problems).toEqual(problems);
});

test('a spool that nothing uses is told of', () => {
  const { warnings } = load(`audit: { spool: s }\n${ROUTES}`);
  expect(warnings).toEqual([
    'policy.yaml:1:10 audit.spool: means nothing without a redis or webhook sink',
  ]);
});

test('a spool whose only sink has a problem is not said to be of no use', () => {
  const sink = '{ webhook: { url: "https://siem.example.com", secret: short } }';
  const { problems, warnings } = load(`audit: { spool: s, sinks: [${sink}] }\n${ROUTES}`);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain('as echo "whsec_$(openssl rand -base64 32)" prints');
  expect(warnings).toEqual([]);
});

test('a word says which decisions; a map says where they go', () => {
  const { config } = load(`audit: refusals\n${ROUTES}`);
  expect(config && readSettings(config).audit).toEqual({
    mode: 'buffered',
    sinks: [{ kind: 'stdout', format: 'postern' }],
    spool: undefined,
    spoolMaxBytes: 256 * 1024 * 1024,
    chain: false,
  });
});
