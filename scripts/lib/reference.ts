import type { JsonSchema } from '../../src/config/json-schema.ts';

type Section = { readonly title: string; readonly schema: JsonSchema };

const INTRODUCTION = `# Configuration

<!-- Made by \`npm run generate\` from src/config/schema.ts. Do not edit. -->

A policy is one YAML file, or a directory of \`*.yaml\` and \`*.yml\` files. It is checked as a whole before anything starts:
every problem is reported at once with its file, line and column, and the exit code is 2. Warnings stop nothing.

In a directory, maps unite. A name or setting that two files define is a problem that names both places. The lists \`routes\`,
\`issuers\`, \`blocks\` and \`api_keys.declared\` are joined in the order of the file names.

Top-level keys that begin with \`x-\` are ignored; YAML anchors, aliases and \`<<\` work, so that they are a place for anchors.

For completion in an editor, begin the file with
\`# yaml-language-server: $schema=./policy.schema.json\` (\`postern schema\` prints the schema).

## Placeholders

They are replaced in text values once, after the YAML is parsed. What is put in is not read again, so it is always a text.

| written | becomes |
|---|---|
| \`\${NAME}\` | the environment variable; it is a problem when it is not set |
| \`\${NAME:-default}\` | the variable, or the default when it is unset or empty |
| \`\${file:/run/secrets/x}\` | the content of a file without the space around it |
| \`$\${\` | \`\${\` itself |

## Durations

A number and a unit: \`500ms\`, \`5s\`, \`10m\`, \`24h\`, \`30d\`. Times are RFC 3339, as in \`2030-01-31T00:00:00Z\`.

## Reload

A change of a policy file or of a \`\${file:…}\` is found within seconds; SIGHUP reads the policy at once. A policy with problems
changes nothing: the last good one stays. Counters go on across a reload. Changes of \`listen\`, \`store\`, \`limits\`,
\`on_store_failure\`, \`key_cache\`, \`alerts.places\`, and of \`audit\` but for \`events\`, \`mask\` and \`keep\`, take a restart; the log
names what waits for one.

## Redis

Many Posterns share keys and limits through one Redis (or Valkey), Sentinel group or Redis Cluster. What a password holds of \`%\`, \`/\`,
\`?\`, \`#\`, \`@\` and \`:\` is percent-encoded in a URL; in \`store.password\` it stands as it is.

\`\`\`yaml
store: redis://127.0.0.1:6379/0                                    # one Redis
store: rediss://postern:\${REDIS_PASSWORD}@redis.example.com        # a user of its own, and TLS
store: [rediss://:p@redis-0.example.com, rediss://:p@redis-1.example.com]   # a Cluster: a list, some of its nodes
store:                                                             # all that can be said
  urls: [rediss://sentinel-0.example.com:26379, rediss://sentinel-1.example.com:26379]
  sentinel: main
  username: postern
  password: \${file:/run/secrets/redis}
  tls: { ca: redis-ca.pem }
  namespace: shop
\`\`\`

While Redis does not answer, no check waits for it:

- **Limits** go by \`on_store_failure.limits\`: counted in each process against its share, not at all, or refused with 503.
- **Keys** that a process remembers are taken for \`key_cache.max_stale\`. Those that it does not know are refused with 503 \`unavailable\`.
- **\`/readyz\`** stays 200, and shows the store as \`degraded\` or \`down\`: all Posterns see the same Redis, and a probe that fails would take all
  of them out at once, with the tokens, declared keys and public routes that need no store. It is 503, with the reason, only at a start without
  Redis. Postern then starts, says so in the log, and becomes ready by itself.
- **Metrics** for an alert: \`postern_store_up\`, \`postern_degraded\`, \`postern_store_breaker\`, \`postern_store_failures_total\` and
  \`postern_store_trip_duration_seconds\`. The log says once when the store goes, and once when it is back.

[reliability.md](reliability.md) has the bounds and what was measured, [scaling.md](scaling.md) how to set up Redis.

## Commands

| command | does |
|---|---|
| \`postern serve --config PATH\` | answers Envoy |
| \`postern validate PATH\` | prints problems and warnings; exit code 0 or 2 |
| \`postern validate PATH --envoy FILE\` | prints where the wiring undoes the policy too ([wiring.md](wiring.md)) |
| \`postern schema\` | prints the JSON Schema |
| \`postern keys new --prefix P\` | makes an API key and the entry that declares it |
| \`postern alerts\` | lists alerts ([alerts.md](alerts.md)) |
| \`postern audit verify FILE…\` | finds what was changed in audit files, or taken out ([audit.md](audit.md#chain)) |
| \`postern store copy FROM TO\` | copies everything from one store to another ([moving.md](moving.md)) |
`;

/** Writes the configuration reference from the JSON Schema of the policy file. */
export function writeReference(root: JsonSchema): string {
  const written = new Map<string, string>();
  const texts: string[] = [];
  for (const { title, schema } of sectionsOf({ title: '', schema: root })) {
    const table = tableOf(schema);
    if (written.has(table)) continue;
    written.set(table, title);
    const heading = title === '' ? '## Top level' : `## ${title}`;
    const prose = title === '' ? '' : `${schema.description ?? ''}\n\n`.trimStart();
    texts.push(`${heading}\n\n${prose}${table}`);
  }
  return `${INTRODUCTION}\n${texts.join('\n')}`;
}

/** A map and all maps within it, in the order they are written; `defaults` repeats `routes[]`. */
function sectionsOf(section: Section): readonly Section[] {
  const children = Object.entries(section.schema.properties ?? {}).flatMap(([key, child]) => {
    const title = section.title === '' ? key : `${section.title}.${key}`;
    return title === 'defaults' || typeof child === 'boolean'
      ? []
      : within({ title, schema: child });
  });
  return [section, ...children];
}

function within({ title, schema }: Section): readonly Section[] {
  const { items, additionalProperties: values } = schema;
  const found: Section[] = [];
  if (schema.properties) found.push(...sectionsOf({ title, schema }));
  if (isSchema(items)) found.push(...within({ title: `${title}[]`, schema: items }));
  if (isSchema(values)) found.push(...within({ title: `${title}.NAME`, schema: values }));
  for (const branch of schema.anyOf ?? []) {
    if (typeof branch !== 'boolean') found.push(...within({ title, schema: branch }));
  }
  return found;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tableOf(schema: JsonSchema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([key, child]) => {
    const property: JsonSchema = typeof child === 'boolean' ? {} : child;
    const isRequired = schema.required?.includes(key) === true;
    return `| \`${key}\` | ${defaultOf(property, isRequired)} | ${meaningOf(property)} |`;
  });
  return `| key | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function defaultOf(property: JsonSchema, isRequired: boolean): string {
  const unset = property['x-default'];
  if (typeof unset === 'string') return cell(unset);
  if (property.default !== undefined) return `\`${cell(writeFlow(property.default))}\``;
  return isRequired ? 'required' : '–';
}

function meaningOf(property: JsonSchema): string {
  const values = valuesOf(property);
  const parts = [
    property.description ?? '',
    values.length > 1 ? `Values: ${values.map((value) => `\`${value}\``).join(', ')}.` : '',
    ...(property.examples ?? []).slice(0, 1).map((one) => `Example: \`${writeFlow(one)}\``),
  ];
  return cell(parts.filter((part) => part !== '').join(' '));
}

/** The constants of which a value, or each entry of a list, is one. */
function valuesOf(schema: JsonSchema): readonly string[] {
  if (schema.const !== undefined) return [String(schema.const)];
  if (schema.enum) return schema.enum.map(String);
  const branches = [...(schema.anyOf ?? []), ...(isSchema(schema.items) ? [schema.items] : [])];
  return branches.flatMap((branch) => (typeof branch === 'boolean' ? [] : valuesOf(branch)));
}

/** A value as YAML flow text, on one line. */
function writeFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(writeFlow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, one]) => `${writeText(key)}: ${writeFlow(one)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  return typeof value === 'string' ? writeText(value) : String(value);
}

function writeText(text: string): string {
  return /^[\w/][\w./@ -]*(:[\w/-][\w./-]*)*$/.test(text) ? text : JSON.stringify(text);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
