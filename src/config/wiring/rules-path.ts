import type { Fault } from './fault.ts';
import type { Needs } from './needs.ts';
import { aboutConnections, aboutKind, aboutMeshes, type Rule } from './rule.ts';
import { at, findAbove, isOn, isThere, isTrue, type Spot, textAt } from './spot.ts';
import type { Connection } from './wiring.ts';

const KEEPS_SLASHES =
  'a path with %2F or %5C reaches Postern, which refuses it, and means two things to those behind: use REJECT_REQUEST';
const KEEPS_EMPTY = 'a//b and a/b are two paths here and one for most upstreams: merge slashes';
const KEEPS_DOTS = '/a/../b and /b are two paths here and one for most upstreams: normalise paths';
const KEEPS_UNDERSCORES =
  'x_auth_username and x-auth-username are one header for many upstreams: reject names with underscores';

/** One path, one meaning: what is judged is what the upstream reads. Also whether https is seen. */
export const PATH_RULES = [
  aboutConnections('normalize_path', (connection) =>
    unlessTrue(connection, 'normalize_path', KEEPS_DOTS),
  ),
  aboutConnections('merge_slashes', (connection, { spellings }) =>
    spellings.has('empty_segment')
      ? undefined
      : unlessTrue(connection, 'merge_slashes', KEEPS_EMPTY),
  ),
  aboutConnections('escaped_slashes', ({ spot, isWhole }, { spellings }) => {
    const action = at(spot, 'path_with_escaped_slashes_action');
    if (spellings.has('encoded_slash') || (!isThere(action) && !isWhole)) return undefined;
    if (/^(?:REJECT_REQUEST|UNESCAPE_AND_\w+|[234])$/.test(textAt(action) ?? '')) return undefined;
    return { spot: isThere(action) ? action : spot, message: KEEPS_SLASHES };
  }),
  aboutConnections('underscores', ({ spot, isWhole }) => {
    const action = at(spot, 'common_http_protocol_options', 'headers_with_underscores_action');
    if (!isThere(action) && !isWhole) return undefined;
    if (/^(?:REJECT_REQUEST|DROP_HEADER|[12])$/.test(textAt(action) ?? '')) return undefined;
    return { spot: isThere(action) ? action : spot, message: KEEPS_UNDERSCORES };
  }),
  aboutConnections('https_unseen', judgeHttps),
  aboutMeshes('normalize_path', (mesh) => {
    const mode = at(mesh, 'pathNormalization', 'normalization');
    return textAt(mode) === 'NONE' ? { spot: mode, message: KEEPS_DOTS } : undefined;
  }),
  aboutMeshes('merge_slashes', (mesh, { spellings }) => {
    const mode = at(mesh, 'pathNormalization', 'normalization');
    if (spellings.has('empty_segment') || /MERGE_SLASHES$/.test(textAt(mode) ?? ''))
      return undefined;
    return {
      spot: isThere(mode) ? mode : mesh,
      message: `${KEEPS_EMPTY} (DECODE_AND_MERGE_SLASHES)`,
    };
  }),
  aboutMeshes('escaped_slashes', (mesh, { spellings }) => {
    const mode = at(mesh, 'pathNormalization', 'normalization');
    if (spellings.has('encoded_slash') || textAt(mode) === 'DECODE_AND_MERGE_SLASHES')
      return undefined;
    const message =
      'a path with %2F or %5C reaches Postern, which refuses it: use DECODE_AND_MERGE_SLASHES';
    return { spot: isThere(mode) ? mode : mesh, message };
  }),
  aboutKind('merge_slashes', 'ClientTrafficPolicy', (spec, { spellings }) => {
    const off = at(spec, 'path', 'disableMergeSlashes');
    if (!isOn(off) || spellings.has('empty_segment')) return undefined;
    return { spot: off, message: KEEPS_EMPTY };
  }),
  aboutKind('escaped_slashes', 'ClientTrafficPolicy', (spec, { spellings }) => {
    const action = at(spec, 'path', 'escapedSlashesAction');
    if (textAt(action) !== 'KeepUnchanged' || spellings.has('encoded_slash')) return undefined;
    return { spot: action, message: KEEPS_SLASHES.replace('REJECT_REQUEST', 'RejectRequest') };
  }),
  aboutKind('underscores', 'ClientTrafficPolicy', (spec) => {
    const action = at(spec, 'headers', 'withUnderscoresAction');
    return textAt(action) === 'Allow' ? { spot: action, message: KEEPS_UNDERSCORES } : undefined;
  }),
] as const satisfies readonly Rule[];

function unlessTrue({ spot, isWhole }: Connection, name: string, message: string) {
  const setting = at(spot, name);
  if (isTrue(setting) || (!isThere(setting) && !isWhole)) return undefined;
  return { spot: isThere(setting) ? setting : spot, message };
}

/** A listener without TLS, with nobody trusted before it, tells Postern http of every request. */
function judgeHttps({ spot, isWhole }: Connection, { isHttpsOnly }: Needs): Fault | undefined {
  const chain = findAbove(spot, isChain);
  const hops = textAt(at(spot, 'xff_num_trusted_hops')) ?? '0';
  if (!isHttpsOnly || !isWhole || !chain || isThere(at(chain, 'transport_socket')))
    return undefined;
  if (hops !== '0' || !isTrue(at(spot, 'use_remote_address'))) return undefined;
  const message =
    'the policy demands https, and this listener has no TLS and trusts no proxy to tell: every such request is refused';
  return { spot: chain, message };
}

function isChain(spot: Spot): boolean {
  return isThere(at(spot, 'filters'));
}
