/** What is wrong, the policy, and every problem in it, each with its place. */
export const PROBLEM_CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'an empty file',
    `
`,
    ['policy.yaml:1:1 routes: required: expected a list'],
  ],
  [
    'a misspelt key does not hide a dangling name',
    `plans: { free: { per_minute: 60 } }
routes:
  - { name: a, path: /a, access: [api_key], plan: fre }
  - { name: b, paht: /b, access: [api_key] }
  - { name: c, path: /c, access: [apikey] }
`,
    [
      'policy.yaml:3:51 routes[0].plan: unknown plan "fre"; did you mean "free"?',
      'policy.yaml:4:16 routes[1].paht: unknown key; did you mean "path"?',
      'policy.yaml:5:35 routes[2].access[0]: expected one of "api_key", "jwt", "anonymous" or a list; did you mean "api_key"?',
    ],
  ],
  [
    'a misspelt key does not hide what else is wrong beside it',
    `plans: { free: { per_minute: 60 } }
routes:
  - { name: a, paht: /a, access: [api_key], plan: fre }
`,
    [
      'policy.yaml:3:16 routes[0].paht: unknown key; did you mean "path"?',
      'policy.yaml:3:51 routes[0].plan: unknown plan "fre"; did you mean "free"?',
    ],
  ],
  [
    'a broken plan still counts as defined',
    `plans: { free: { per_minut: 60 } }
default_plan: free
routes: [{ path: /a, access: [api_key] }]
`,
    ['policy.yaml:1:18 plans.free.per_minut: unknown key; did you mean "per_minute"?'],
  ],
  [
    'wrong shapes say what was expected',
    `product: [a]
https_only: "yes"
listen: { check: 9191 }
limit_by: user
client_ip: { trusted_hops: -1 }
plans: { free: { per_minute: 0, per_day: 1.5 } }
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:1:10 product: expected a text, got a list',
      'policy.yaml:2:13 https_only: expected true or false, got a text',
      'policy.yaml:3:18 listen.check: expected a text or a map',
      'policy.yaml:4:11 limit_by: expected one of "workspace", "username", "key", "client", "ip"; did you mean "username"?',
      'policy.yaml:5:28 client_ip.trusted_hops: expected at least 0',
      'policy.yaml:6:30 plans.free.per_minute: expected at least 1',
      'policy.yaml:6:42 plans.free.per_day: expected a whole number',
    ],
  ],
  [
    'YAML syntax',
    `routes:
  - { path: /a, access: public
`,
    ['policy.yaml:3:1 Flow map in block collection must be sufficiently indented and end with a }'],
  ],
  [
    'two documents',
    `routes: []
---
a: 1
`,
    ['policy.yaml:2:1 a file holds one YAML document'],
  ],
  [
    'a key defined twice',
    `routes: [{ path: /a, access: public }]
product: a
product: b
`,
    ['policy.yaml:3:1 product: defined twice; first at policy.yaml:2:1'],
  ],
  [
    'a forbidden key',
    `routes: [{ path: /a, access: public, context: { __proto__: a } }]
`,
    ['policy.yaml:1:49 routes[0].context.__proto__: this key is not allowed'],
  ],
  [
    'an alias without an anchor',
    `routes: *all
`,
    ['policy.yaml:1:9 routes: this alias names no anchor before it'],
  ],
  [
    'an alias that holds itself',
    `routes: &all
  - *all
`,
    ['policy.yaml:2:5 routes[0]: this alias holds itself'],
  ],
  [
    'no routes',
    `routes: []
`,
    ['policy.yaml:1:9 routes: expected at least one route'],
  ],
  [
    'a route without path and access',
    `routes: [{ name: a }]
`,
    [
      'policy.yaml:1:10 routes[0].path: required: expected a text or a list',
      'policy.yaml:1:10 routes[0].access: required: expected "public" or a list of api_key, jwt and anonymous',
    ],
  ],
  [
    'paths and hosts',
    `routes:
  - { path: a, access: public }
  - { path: /a*, access: public }
  - { path: /**/a, access: public }
  - { path: "/{tenant}/a", access: public }
  - { path: [/a//b, /a/../b, "/a%2fb", "/a?b"], access: public }
  - { path: /b, host: "a.*.example.com", access: public }
`,
    [
      'policy.yaml:2:13 routes[0].path: a path begins with "/"',
      'policy.yaml:3:13 routes[1].path: "*" stands for a whole segment',
      'policy.yaml:4:13 routes[2].path: "**" stands only at the end, as "/**"',
      'policy.yaml:5:13 routes[3].path: "{workspace}" is the only named segment',
      'policy.yaml:6:14 routes[4].path[0]: a path has no empty segments',
      'policy.yaml:6:21 routes[4].path[1]: a path has no dot segments',
      'policy.yaml:6:30 routes[4].path[2]: a path pattern cannot hold "%": "*" stands for such a segment',
      'policy.yaml:6:40 routes[4].path[3]: a path pattern cannot hold "?": "*" stands for such a segment',
      'policy.yaml:7:23 routes[5].host: "*" is no host label: "*." stands first, "{workspace}" is one label',
    ],
  ],
  [
    'public is exclusive',
    `plans: { free: { per_minute: 60 } }
routes:
  - path: /a
    access: public
    ips: [10.0.0.0/8]
    scopes: ["a:read"]
    plan: free
    limits: [{ per_minute: 5 }]
`,
    [
      'policy.yaml:5:5 routes[0].ips: ips cannot stand beside access: public',
      'policy.yaml:6:5 routes[0].scopes: scopes cannot stand beside access: public',
      'policy.yaml:7:5 routes[0].plan: plan cannot stand beside access: public',
      'policy.yaml:8:14 routes[0].limits[0].by: a limit of a public route counts by: ip',
    ],
  ],
  [
    'anonymous callers have no scopes, roles, claims and workspaces',
    `roles: { viewer: {} }
workspaces: { acme: {} }
routes:
  - { path: "/{workspace}/a", access: [anonymous], scopes: [a], any_scope: [b], role: viewer, claims: { a: b }, workspaces: [acme] }
`,
    [
      'policy.yaml:4:13 routes[0].path: {workspace} cannot stand beside anonymous access',
      'policy.yaml:4:52 routes[0].scopes: scopes cannot stand beside anonymous access',
      'policy.yaml:4:65 routes[0].any_scope: any_scope cannot stand beside anonymous access',
      'policy.yaml:4:81 routes[0].role: role cannot stand beside anonymous access',
      'policy.yaml:4:95 routes[0].claims: claims cannot stand beside anonymous access',
      'policy.yaml:4:113 routes[0].workspaces: workspaces cannot stand beside anonymous access',
    ],
  ],
  [
    'names that refer to nothing',
    `default_plan: fre
plans: { free: { per_minute: 60 } }
roles: { admin: { inherits: [viewr] }, viewer: {} }
workspaces: { acme: { plan: pro } }
issuers:
  - { name: main, issuer: "https://id.example.com", audience: a, max_roles: [admn], claims: { plan: { value: gold } } }
api_keys:
  declared:
    - { id: k, hash: "sha256:916174ea4edff78188539b357c3feccc432a12c33b46475e95b333bd3d80d383", plan: pro, roles: [root], allowed_routes: [aa] }
routes:
  - { name: a, path: /a, access: [jwt], issuers: [mian], role: admim, plan: gold, workspaces: [acmee] }
`,
    [
      'policy.yaml:1:15 default_plan: unknown plan "fre"; did you mean "free"?',
      'policy.yaml:3:30 roles.admin.inherits[0]: unknown role "viewr"; did you mean "viewer"?',
      'policy.yaml:4:29 workspaces.acme.plan: unknown plan "pro"',
      'policy.yaml:6:78 issuers[0].max_roles[0]: unknown role "admn"; did you mean "admin"?',
      'policy.yaml:6:110 issuers[0].claims.plan.value: unknown plan "gold"',
      'policy.yaml:9:103 api_keys.declared[0].plan: unknown plan "pro"',
      'policy.yaml:9:116 api_keys.declared[0].roles[0]: unknown role "root"',
      'policy.yaml:9:140 api_keys.declared[0].allowed_routes[0]: unknown route "aa"; did you mean "a"?',
      'policy.yaml:11:51 routes[0].issuers[0]: unknown issuer "mian"; did you mean "main"?',
      'policy.yaml:11:64 routes[0].role: unknown role "admim"; did you mean "admin"?',
      'policy.yaml:11:77 routes[0].plan: unknown plan "gold"',
      'policy.yaml:11:96 routes[0].workspaces[0]: unknown workspace "acmee"; did you mean "acme"?',
    ],
  ],
  [
    'role cycles',
    `roles: { a: { inherits: b }, b: { inherits: [c] }, c: { inherits: a }, d: { inherits: d } }
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:1:25 roles.a.inherits: the role inherits from itself: a -> b -> c -> a',
      'policy.yaml:1:87 roles.d.inherits: the role inherits from itself: d -> d',
    ],
  ],
  [
    'scopes beside the catalogue',
    `scopes: { agents:read: Read, agents:write: Write }
roles: { viewer: { scopes: ["agent:*"] }, admin: { scopes: ["*", "api_keys:read", "api_keys:*"] } }
api_keys:
  prefixes: { pst_: { max_scopes: ["agents:reed"] } }
  declared:
    - { id: k, hash: "sha256:916174ea4edff78188539b357c3feccc432a12c33b46475e95b333bd3d80d383", scopes: ["agents:delete"] }
issuers:
  - { issuer: "https://id.example.com", audience: a, max_scopes: ["*:exec"] }
routes:
  - { path: /a, access: [api_key], scopes: { GET: ["agents:reads"], "*": [agents:write] }, any_scope: ["agents:*"] }
  - { path: /b, access: [api_key], scopes: [users:write], any_scope: [agents:read] }
`,
    [
      'policy.yaml:2:29 roles.viewer.scopes[0]: the wildcard "agent:*" covers no scope of the catalogue',
      `policy.yaml:2:83 roles.admin.scopes[2]: the wildcard "api_keys:*" covers no scope of the catalogue; name Postern's own scopes one by one`,
      'policy.yaml:4:36 api_keys.prefixes.pst_.max_scopes[0]: the scope "agents:reed" is not in the catalogue; did you mean "agents:read"?',
      'policy.yaml:6:106 api_keys.declared[0].scopes[0]: the scope "agents:delete" is not in the catalogue',
      'policy.yaml:8:67 issuers[0].max_scopes[0]: the wildcard "*:exec" covers no scope of the catalogue',
      'policy.yaml:10:52 routes[0].scopes.GET[0]: the scope "agents:reads" is not in the catalogue; did you mean "agents:read"?',
      'policy.yaml:10:104 routes[0].any_scope[0]: expected a scope without wildcard',
    ],
  ],
  [
    'method scopes leave no method out',
    `routes:
  - { path: /a, access: [api_key], scopes: { GET: [a] } }
  - { path: /b, access: [api_key], methods: [GET, HEAD, POST], scopes: { GET: [a] } }
  - { path: /c, access: [api_key], methods: [GET], scopes: { GET: [a], PSOT: [b] } }
`,
    [
      'policy.yaml:2:44 routes[0].scopes: expected "*" or every method of the route; missing: *',
      'policy.yaml:3:72 routes[1].scopes: expected "*" or every method of the route; missing: POST',
      'policy.yaml:4:72 routes[2].scopes.PSOT: the route does not take PSOT',
    ],
  ],
  [
    'duplicate names',
    `issuers:
  - { name: a, issuer: "https://a.example.com", audience: a }
  - { name: a, issuer: "https://b.example.com", audience: a }
  - { issuer: "https://c.example.com", audience: a }
  - { issuer: "https://c.example.com", audience: b }
routes:
  - { name: a, path: /a, access: public }
  - { name: a, path: /b, access: public }
  - { path: /c, access: [jwt], limits: [{ name: x, per_minute: 1 }, { name: x, per_day: 1 }] }
`,
    [
      'policy.yaml:3:13 issuers[1].name: the name "a" is also that of issuers[0]',
      'policy.yaml:5:5 issuers[3]: the name "https://c.example.com" is also that of issuers[2]',
      'policy.yaml:8:13 routes[1].name: the name "a" is also that of routes[0]',
      'policy.yaml:9:77 routes[2].limits[1].name: the name "x" is also that of limits[0]',
    ],
  ],
  [
    'declared keys',
    `api_keys:
  prefixes: { live_: { environment: live }, test_: { environment: test } }
  declared:
    - { id: a, hash: "sha256:916174ea4edff78188539b357c3feccc432a12c33b46475e95b333bd3d80d383" }
    - { id: a, hash: "sha256:916174ea4edff78188539b357c3feccc432a12c33b46475e95b333bd3d80d383" }
    - { id: b, hash: live_abcdefghijklmnopqrstuvwxyz, environment: lvie }
    - { id: c, hash: [{ hash: "sha256:5e19ef2fcb5023efd795890045bfc97d8274ccbd447afeb5a70dbf9a6088766a", until: tomorrow }], environment: lvie }
    - { id: d, hash: "sha256:44ce02ecfe8f742e36d5a8b7584b34520985e7f3c0add7e2f561734f20a2f178", rate_limit: { burst: 5 }, expires_at: 2026-02-30T00:00:00Z, allowed_ips: [10/8, 010.0.0.1], allowed_origins: ["https://a/b"] }
routes: [{ path: /a, access: [api_key] }]
`,
    [
      'policy.yaml:5:13 api_keys.declared[1].id: this id is also that of api_keys.declared[0]',
      'policy.yaml:5:22 api_keys.declared[1].hash: this hash is also that of api_keys.declared[0]',
      'policy.yaml:6:22 api_keys.declared[2].hash: expected "sha256:" and 64 lower-case hex digits',
      'policy.yaml:7:113 api_keys.declared[3].hash[0].until: expected an RFC 3339 time such as 2030-01-31T00:00:00Z',
      'policy.yaml:7:139 api_keys.declared[3].environment: no prefix has the environment "lvie"; did you mean "live"?',
      'policy.yaml:8:111 api_keys.declared[4].rate_limit.burst: burst needs a per_X beside it to refill by',
      'policy.yaml:8:135 api_keys.declared[4].expires_at: expected an RFC 3339 time such as 2030-01-31T00:00:00Z',
      'policy.yaml:8:171 api_keys.declared[4].allowed_ips[0]: "10/8" is no address or CIDR block',
      'policy.yaml:8:177 api_keys.declared[4].allowed_ips[1]: "010.0.0.1" is no address or CIDR block',
      'policy.yaml:8:207 api_keys.declared[4].allowed_origins[0]: "https://a/b" is no domain or origin: expected app.example.com, *.example.com or https://app.example.com:8443',
    ],
  ],
  [
    'plans',
    `plans:
  none: {}
  a: { burst: 5 }
  b: { per_minute: 5, jwt: { burst: 3 }, anonymous: { quota: { requests: 5, per: week } } }
  c: { quota: { requests: 8, per: month }, burst: 1 }
workspaces:
  w: { slug: v, overrides: { per_minute: 2 } }
  v: {}
  "a b": {}
default_plan: c
routes:
  - { path: /a, access: [api_key], cost: 6 }
  - { path: /b, access: [api_key], plan: b, cost: 3, limits: [{ name: x, per_minute: 2 }, { burst: 1 }, {}] }
  - { path: /c, access: [anonymous], cost: 9 }
`,
    [
      'policy.yaml:2:3 plans.none: "none" is no name for a plan: on a route it means no plan',
      'policy.yaml:3:8 plans.a.burst: burst needs a per_X beside it to refill by',
      'policy.yaml:4:82 plans.b.anonymous.quota.per: expected one of "day", "month"',
      'policy.yaml:5:44 plans.c.burst: burst needs a per_X beside it to refill by',
      'policy.yaml:7:14 workspaces.w.slug: this slug also names the workspace "v"',
      'policy.yaml:9:3 workspaces["a b"]: expected 1 to 64 letters, digits, "_", "." and "-", and not dots alone',
      'policy.yaml:12:42 routes[0].cost: a cost of 6 is above 5/minute of plan "b"',
      'policy.yaml:13:51 routes[1].cost: a cost of 3 is above the 2 of limits[0]',
      'policy.yaml:13:93 routes[1].limits[1].burst: burst needs a per_X beside it to refill by',
      'policy.yaml:13:105 routes[1].limits[2]: expected a window such as per_minute',
      'policy.yaml:14:44 routes[2].cost: a cost of 9 is above 8/month of plan "c"',
    ],
  ],
  [
    'issuers',
    `issuers:
  - { name: a, audience: a }
  - { name: b, audience: a, secret: short }
  - { name: c, audience: a, secret: "%%%", encoding: base64 }
  - { name: d, audience: a, secret: 0123456789abcdef0123456789abcdef, algorithms: [RS256] }
  - { name: e, audience: a, jwks: "http://id.example.com/jwks" }
  - { name: f, audience: a, jwks: ["https://id.example.com/jwks"], algorithms: [HS256] }
  - { name: g, audience: a, jwks: "https://id.example.com/jwks", algorithms: [RS256, HS256] }
  - { name: h, audience: a, jwks: "https://id.example.com/jwks", algorithms: [none] }
  - { name: i, audience: a, jwks: "https://id.example.com/jwks", secret: 0123456789abcdef0123456789abcdef }
  - { name: j, audience: a, issuer: accounts }
  - { name: k, audience: a, jwks: "https://id.example.com/jwks", claims: { username: a..b }, max_age: 5 minutes }
routes: [{ path: /a, access: [jwt] }]
`,
    [
      'policy.yaml:2:5 issuers[0]: expected secret or jwks, or an issuer to discover the key sets at',
      'policy.yaml:3:37 issuers[1].secret: the secret has 5 bytes; expected at least 32',
      'policy.yaml:4:37 issuers[2].secret: the secret is not base64',
      'policy.yaml:5:83 issuers[3].algorithms: a secret goes with HS256, HS384 and HS512 only',
      'policy.yaml:6:35 issuers[4].jwks: http: is for loopback only: use https:',
      'policy.yaml:7:80 issuers[5].algorithms: HS256 needs a secret; key sets go with the other algorithms',
      'policy.yaml:8:78 issuers[6].algorithms: algorithms of one family only: HS… with a secret, the others with key sets',
      'policy.yaml:9:79 issuers[7].algorithms[0]: expected one of "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"',
      'policy.yaml:10:29 issuers[8].jwks: expected either secret or jwks',
      'policy.yaml:11:37 issuers[9].issuer: key sets are discovered at https: only (http: on loopback): give secret or jwks',
      'policy.yaml:12:86 issuers[10].claims.username: expected a property path such as user.email',
      'policy.yaml:12:103 issuers[10].max_age: expected a duration such as 5s, 10m, 24h or 30d',
    ],
  ],
  [
    'places of credentials',
    `api_keys: { read_from: [{ header: Authorization }, { header: a, query: b }, {}, { cookie: c }, beaer] }
issuers:
  - { issuer: "https://id.example.com", audience: a, read_from: [{ header: cookie }, { query: "a b" }] }
routes: [{ path: /a, access: [jwt] }]
`,
    [
      'policy.yaml:1:35 api_keys.read_from[0].header: expected another header: write bearer for Authorization',
      'policy.yaml:1:52 api_keys.read_from[1]: expected exactly one of header, query, cookie',
      'policy.yaml:1:77 api_keys.read_from[2]: expected exactly one of header, query, cookie',
      'policy.yaml:1:83 api_keys.read_from[3].cookie: unknown key; expected one of "header", "query"',
      'policy.yaml:1:96 api_keys.read_from[4]: expected "bearer" or a map; did you mean "bearer"?',
      'policy.yaml:3:76 issuers[0].read_from[0].header: expected another header: issuers read {cookie: NAME}',
      'policy.yaml:3:95 issuers[0].read_from[1].query: expected a name of letters, digits, "_", ".", "~" and "-"',
    ],
  ],
  [
    'header names and values',
    `upstream: { prefix: "x auth", headers: { username: x-user, subject: X_User, userid: x } }
issuers:
  - { issuer: "https://id.example.com", audience: a, headers: { Connection: a, x-auth-plan: b } }
routes:
  - { path: /a, access: public, headers: { ":path": /, host: a, content-length: "5", x-a: "a\\nb", x-auth-username: root } }
`,
    [
      'policy.yaml:1:21 upstream.prefix: expected a header name (RFC 9110 token)',
      'policy.yaml:1:69 upstream.headers.subject: the header x_user already carries the username',
      'policy.yaml:1:77 upstream.headers.userid: unknown key; expected one of "username", "subject", "method", "key_id", "workspace", "team", "client", "scopes", "roles", "plan", "environment", "issuer"',
      'policy.yaml:3:65 issuers[0].headers.Connection: a hop-by-hop header cannot stand here',
      'policy.yaml:3:80 issuers[0].headers.x-auth-plan: the header x-auth-plan already carries the plan',
      'policy.yaml:5:44 routes[0].headers[":path"]: a pseudo-header cannot stand here',
      'policy.yaml:5:56 routes[0].headers.host: the header host cannot stand here',
      'policy.yaml:5:65 routes[0].headers.content-length: the header content-length cannot stand here',
      'policy.yaml:5:91 routes[0].headers.x-a: a header value cannot hold control bytes',
    ],
  ],
  [
    'cors',
    `routes:
  - { path: /a, access: [api_key], cors: { origins: keys, credentials: true } }
  - { path: /b, access: [jwt], cors: { origins: keys } }
  - { path: /c, access: [jwt], cors: { origins: ["*", "https://a.example.com/x"], max_age: 5x } }
  - { path: /d, access: [jwt], cors: {} }
`,
    [
      'policy.yaml:2:72 routes[0].cors.credentials: credentials cannot stand beside origins: keys',
      'policy.yaml:3:49 routes[1].cors.origins: origins: keys needs a route that takes api_key',
      'policy.yaml:4:50 routes[2].cors.origins[0]: "*" is no domain or origin: expected app.example.com, *.example.com or https://app.example.com:8443',
      'policy.yaml:4:55 routes[2].cors.origins[1]: "https://a.example.com/x" is no domain or origin: expected app.example.com, *.example.com or https://app.example.com:8443',
      'policy.yaml:4:92 routes[2].cors.max_age: expected a duration such as 5s, 10m, 24h or 30d',
      'policy.yaml:5:38 routes[3].cors.origins: required: expected "keys" or a list',
    ],
  ],
  [
    'blocks, client address, listeners',
    `listen: { check: { address: ":9191", tls: { cert: a, key: b, client_names: [c] } }, ops: "0.0.0.0:99999" }
store: postgres://secret@h
client_ip: { trusted_hops: 1, xff_from_right: 1 }
blocks: [{ note: a }, { ip: 10.0.0.1, key: k }, { ip: fe80::1%eth0 }]
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:1:29 listen.check.address: expected host:port, [v6]:port or unix:/path',
      'policy.yaml:1:62 listen.check.tls.client_names: client_names needs client_ca',
      'policy.yaml:1:90 listen.ops: expected host:port, [v6]:port or unix:/path',
      'policy.yaml:2:8 store: expected memory, sqlite:PATH, redis://host:port or rediss://host:port',
      'policy.yaml:3:12 client_ip: expected exactly one of trusted_hops, xff_from_right',
      'policy.yaml:4:10 blocks[0]: expected exactly one of ip, key, username, workspace, client',
      'policy.yaml:4:23 blocks[1]: expected exactly one of ip, key, username, workspace, client',
      'policy.yaml:4:55 blocks[2].ip: "fe80::1%eth0" is no address or CIDR block',
    ],
  ],
  [
    'a missing variable and file',
    `product: \${NAME}
issuers:
  - { issuer: "\${file:/nowhere/x}", audience: "\${a b}" }
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:1:10 product: the environment variable NAME is not set',
      'policy.yaml:3:15 issuers[0].issuer: the file "/nowhere/x" cannot be read',
      'policy.yaml:3:47 issuers[0].audience: expected ${NAME}, ${NAME:-default} or ${file:/path}; "$${" is a literal "${"',
    ],
  ],
  [
    'defaults are checked where they stand',
    `defaults: { access: [anonymous], scopes: [a], plan: gold }
routes: [{ path: /a }, { path: /b, plan: none }]
`,
    [
      'policy.yaml:1:34 defaults.scopes: scopes cannot stand beside anonymous access',
      'policy.yaml:1:53 defaults.plan: unknown plan "gold"',
    ],
  ],
  [
    'top-level misspelt key',
    `rotues: []
`,
    ['policy.yaml:1:1 rotues: unknown key; did you mean "routes"?'],
  ],
];
