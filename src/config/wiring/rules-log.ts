import type { Fault } from './fault.ts';
import type { Needs } from './needs.ts';
import type { Rule } from './rule.ts';
import { at, everySpot, isThere, itemsOf, type Spot, textAt } from './spot.ts';
import { hasType, type Wiring } from './wiring.ts';

const QUERY_LOGGED =
  'a query, and a key that a client put there, is written to the log: use %PATH(NQ)%';
const CREDENTIAL_LOGGED = 'credentials are written to the log: remove this';

/** What is written down, and by which Envoy. */
export const LOG_RULES = [
  {
    name: 'access_log_path',
    find: (wiring) => [
      ...formatsOf(wiring).flatMap((spot) =>
        loggedNames(spot).some(isQueryName) ? [{ spot, message: QUERY_LOGGED }] : [],
      ),
      ...logsOf(wiring)
        .filter(writesPathUnasked)
        .map((spot) => ({ spot, message: QUERY_LOGGED })),
      ...wiring.meshes.flatMap(meshLog),
    ],
  },
  {
    name: 'access_log_credentials',
    find: (wiring, needs) => [
      ...formatsOf(wiring)
        .filter((spot) => loggedNames(spot).some((name) => isCredential(name, needs)))
        .map((spot) => ({ spot, message: CREDENTIAL_LOGGED })),
      ...logsOf(wiring)
        .flatMap((log) => itemsOf(at(log, 'typed_config', 'additional_request_headers_to_log')))
        .filter((one) => isCredential(textAt(one)?.toLowerCase() ?? '', needs))
        .map((spot) => ({ spot, message: CREDENTIAL_LOGGED })),
    ],
  },
  { name: 'old_envoy', find: ({ maps }) => maps.flatMap(judgeVersion) },
] as const satisfies readonly Rule[];

/** Every access logger of HTTP; those of the admin page and of connections write no such thing. */
function logsOf({ connections }: Wiring): readonly Spot[] {
  return connections.flatMap(({ spot }) => itemsOf(at(spot, 'access_log')));
}

/** Every text below an access log, in whichever language. */
function formatsOf({ maps, meshes }: Wiring): readonly Spot[] {
  const logs = maps.map((map) => at(map, 'access_log')).filter(isThere);
  const formats = meshes.map((mesh) => at(mesh, 'accessLogFormat')).filter(isThere);
  const seen = new Set<unknown>();
  return [...logs.flatMap(everySpot), ...formats].filter(({ node }) => {
    return !seen.has(node) && seen.add(node);
  });
}

/** The request headers that a format writes, lower case; `:path` also for a path with its query. */
function loggedNames(spot: Spot): readonly string[] {
  const text = textAt(spot) ?? '';
  const headers = [...text.matchAll(/%REQ\(([^)]*)\)/gi)].flatMap(([, names = '']) =>
    names.toLowerCase().split('?'),
  );
  const paths = [...text.matchAll(/%PATH(?:\(([^)]*)\))?/gi)].filter(
    ([, option = '']) => !/^NQ\b/i.test(option),
  );
  return paths.length > 0 ? [...headers, ':path'] : headers;
}

function isQueryName(name: string): boolean {
  return name === ':path' || name === 'x-envoy-original-path';
}

function isCredential(name: string, { credentials }: Needs): boolean {
  return (
    credentials.includes(name) || ['authorization', 'cookie', 'proxy-authorization'].includes(name)
  );
}

/** Loggers whose own format holds the path with its query. */
function writesPathUnasked(log: Spot): boolean {
  const config = at(log, 'typed_config');
  if (hasType(config, 'HttpGrpcAccessLogConfig')) return true;
  const isText = ['FileAccessLog', 'StdoutAccessLog', 'StderrAccessLog'].some((type) =>
    hasType(config, type),
  );
  const formats = ['log_format', 'format', 'json_format', 'typed_json_format'];
  return isText && !formats.some((name) => isThere(at(config, name)));
}

/** Istio writes the path with its query where a log file is named and no format. */
function meshLog(mesh: Spot): readonly Fault[] {
  const file = at(mesh, 'accessLogFile');
  const isWritten = (textAt(file) ?? '') !== '' && !isThere(at(mesh, 'accessLogFormat'));
  return isWritten ? [{ spot: file, message: QUERY_LOGGED }] : [];
}

/** The first patch of each minor version in which a client cannot crash Envoy by way of ext_authz. */
const PATCH_MIN: ReadonlyMap<number, number> = new Map([
  [36, 10],
  [37, 6],
  [38, 4],
  [39, 1],
]);
const OLDEST = 36;

function judgeVersion(map: Spot): readonly Fault[] {
  const image = at(map, 'image');
  const [, , minor, patch] =
    /(?:^|\/)envoyproxy\/envoy[\w-]*:[a-z-]*v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(textAt(image) ?? '') ??
    [];
  if (minor !== undefined) return judgeNumbers(image, Number(minor), patch);
  const version = at(map, 'user_agent_build_version', 'version');
  const number = textAt(at(version, 'minor_number'));
  if (number === undefined) return [];
  return judgeNumbers(version, Number(number), textAt(at(version, 'patch')) ?? '0');
}

function judgeNumbers(spot: Spot, minor: number, patch: string | undefined): readonly Fault[] {
  const least = PATCH_MIN.get(minor);
  const isOld = least === undefined ? minor < OLDEST : patch !== undefined && Number(patch) < least;
  if (!isOld) return [];
  const message =
    'this Envoy has faults that a client can use by way of ext_authz: take 1.36.10, 1.37.6, 1.38.4, 1.39.1 or newer';
  return [{ spot, message }];
}
