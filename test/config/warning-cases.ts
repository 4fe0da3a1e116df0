/** What is doubtful, the policy, and every warning on it, each with its place. */
export const WARNING_CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'a route that can never match',
    `routes:
  - { name: all, path: /v1/**, access: [api_key] }
  - { name: one, path: /v1/x, methods: [GET, POST], access: [api_key] }
  - { name: other, path: [/v1/y, /v2], access: [api_key] }
`,
    [
      'policy.yaml:3:5 routes[1]: this route can never match: earlier routes take all of its requests',
    ],
  ],
  [
    'a route that several earlier ones cover',
    `routes:
  - { path: /a, methods: [GET], access: [api_key] }
  - { path: "/*", methods: [POST], access: [api_key] }
  - { name: c, path: /a, methods: [HEAD, POST], access: [api_key] }
`,
    [
      'policy.yaml:4:5 routes[2]: this route can never match: earlier routes take all of its requests',
    ],
  ],
  [
    'hosts, contexts and methods keep routes apart',
    `routes:
  - { path: /a, host: a.example.com, access: [api_key] }
  - { path: /a, host: "*.example.com", methods: [GET], access: [api_key] }
  - { path: /a, context: { tier: gold }, access: [api_key] }
  - { path: /a, methods: [TRACE], access: [api_key] }
  - { path: /a, access: [api_key] }
  - { name: last, path: /a, methods: [TRACE], access: [api_key] }
`,
    [
      'policy.yaml:7:5 routes[5]: this route can never match: earlier routes take all of its requests',
    ],
  ],
  [
    'a laxer route takes the methods that a strict one leaves out',
    `routes:
  - { name: admin, path: /admin/**, methods: [GET, POST], access: [api_key], scopes: [admin] }
  - { name: rest, path: /**, access: public }
`,
    [
      'policy.yaml:3:5 routes[1]: this route is laxer than "admin" (routes[0]) and takes its paths for methods other than GET, POST',
    ],
  ],
  [
    'an equally strict route takes other methods without a word',
    `routes:
  - { name: read, path: /a/**, methods: [GET], access: [api_key], scopes: [a] }
  - { name: write, path: /a/**, access: [api_key], scopes: [b] }
`,
    [],
  ],
  [
    'scopes and plans that nothing uses',
    `scopes: { a:read: Read, a:write: Write, users:read: Users }
plans: { free: { per_minute: 1 }, pro: { per_minute: 2 } }
default_plan: free
routes: [{ path: /a, access: [api_key], scopes: ["a:read"] }]
`,
    [
      'policy.yaml:1:25 scopes["a:write"]: no route demands this scope',
      'policy.yaml:2:35 plans.pro: nothing uses this plan',
    ],
  ],
  [
    'a token may name any plan',
    `plans: { free: { per_minute: 1 } }
issuers: [{ issuer: "https://id.example.com", audience: a, claims: { plan: plan } }]
routes: [{ path: /a, access: [jwt] }]
`,
    [],
  ],
  [
    'keys without origins, keys that end',
    `api_keys:
  prefixes: { pk_: { publishable: true } }
  declared:
    - { id: a, hash: "sha256:916174ea4edff78188539b357c3feccc432a12c33b46475e95b333bd3d80d383" }
    - { id: b, hash: "sha256:5e19ef2fcb5023efd795890045bfc97d8274ccbd447afeb5a70dbf9a6088766a", allowed_origins: [a.example.com], expires_at: 2026-06-15T11:59:59Z }
    - { id: c, hash: "sha256:44ce02ecfe8f742e36d5a8b7584b34520985e7f3c0add7e2f561734f20a2f178", allowed_origins: [a.example.com], expires_at: 2026-07-15T12:00:00Z }
    - { id: d, hash: "sha256:0525a493ec4c55daa28bd84adf15d19d374dfff4ac7e682a6182b754583a0301", allowed_origins: [a.example.com], expires_at: 2026-07-15T12:00:01+00:00 }
routes: [{ path: /a, access: [api_key] }]
`,
    [
      'policy.yaml:4:7 api_keys.declared[0]: a publishable key without allowed_origins works on every page',
      'policy.yaml:5:143 api_keys.declared[1].expires_at: the key has expired',
      'policy.yaml:6:143 api_keys.declared[2].expires_at: the key expires within 30 days',
    ],
  ],
  [
    'a quota in memory',
    `plans: { free: { quota: { requests: 5, per: day } } }
default_plan: free
workspaces: { w: { overrides: { quota: { requests: 9, per: day } } } }
routes: [{ path: /a, access: [api_key] }]
`,
    [
      'policy.yaml:1:18 plans.free.quota: the memory store forgets a quota when Postern restarts',
      'policy.yaml:3:33 workspaces.w.overrides.quota: the memory store forgets a quota when Postern restarts',
    ],
  ],
  [
    'a quota in a store that keeps it',
    `store: redis://127.0.0.1:6379
plans: { free: { quota: { requests: 5, per: day } } }
default_plan: free
routes: [{ path: /a, access: [api_key] }]
`,
    [],
  ],
  [
    'tokens for anyone, and a listener that anyone reaches',
    `listen: { check: 0.0.0.0:9191 }
issuers: [{ issuer: "https://id.example.com" }]
routes: [{ path: /a, access: [jwt] }]
`,
    [
      'policy.yaml:1:18 listen.check: not a loopback address and no TLS: whoever reads this network reads credentials',
      'policy.yaml:2:11 issuers[0]: no audience: tokens made for other services are taken too',
    ],
  ],
  [
    'a listener with TLS, and a unix socket',
    `listen: { check: { address: 0.0.0.0:9191, tls: { cert: a, key: b } } }
routes: [{ path: /a, access: public }]
`,
    [],
  ],
  [
    'host bits',
    `workspaces: { w: { allowed_ips: [10.1.2.3/8] } }
blocks: [{ ip: 2001:db8::1/32 }]
routes: [{ path: /a, access: [api_key], ips: [192.0.2.7/24, 192.0.2.0/24, 192.0.2.7] }]
`,
    [
      'policy.yaml:1:34 workspaces.w.allowed_ips[0]: "10.1.2.3/8" has bits set beyond its prefix: it means the whole block',
      'policy.yaml:2:16 blocks[0].ip: "2001:db8::1/32" has bits set beyond its prefix: it means the whole block',
      'policy.yaml:3:47 routes[0].ips[0]: "192.0.2.7/24" has bits set beyond its prefix: it means the whole block',
    ],
  ],
  [
    'an environment that no credential has',
    `api_keys: { prefixes: { live_: { environment: live } } }
routes: [{ path: /a, access: [api_key], environments: [lvie] }]
`,
    [
      'policy.yaml:2:56 routes[0].environments[0]: no prefix or issuer has the environment "lvie"; did you mean "live"?',
    ],
  ],
  [
    'restrictions of the defaults do not reach a public route',
    `defaults: { access: [api_key], ips: [10.0.0.0/8], plan: none }
routes: [{ path: /a }, { path: /health, access: public }]
`,
    ['policy.yaml:2:49 routes[1].access: this public route leaves defaults.ips behind'],
  ],
  [
    'settings of Redis beside another store',
    `limits: { mode: leased }
on_store_failure: {}
key_cache: { max_stale: 1h }
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:1:17 limits.mode: means nothing without a Redis store',
      'policy.yaml:2:1 on_store_failure: means nothing without a Redis store',
      'policy.yaml:3:1 key_cache: means nothing without a Redis store',
    ],
  ],
  [
    'a Redis that anybody on the network can read and use',
    `store: redis://redis.example.com
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:1:8 store: not a loopback address and no TLS (rediss:): whoever reads this network reads the password and the key store',
      'policy.yaml:1:8 store: no password: whoever reaches this Redis can make keys',
    ],
  ],
  [
    'a Redis on this machine, and one with TLS and a password',
    `store: { urls: ["redis://localhost:7001", "redis://[::1]:7002"] }
routes: [{ path: /a, access: public }]
limits: { mode: leased }
on_store_failure: { limits: deny }
key_cache: { max_stale: 5m }
`,
    [],
  ],
  [
    'one server of a Cluster, known by its certificate alone',
    `store: { urls: ["rediss://redis.example.com"], tls: { cert: a, key: b } }
routes: [{ path: /a, access: public }]
`,
    ['policy.yaml:1:17 store.urls[0]: a Cluster is found by this one server alone: name several'],
  ],
  [
    'one sentinel',
    `store: { urls: "rediss://redis.example.com", sentinel: main, password: p }
routes: [{ path: /a, access: public }]
`,
    ['policy.yaml:1:16 store.urls: the master is found by this one server alone: name several'],
  ],
  [
    'what holds while Redis is away',
    `store: rediss://:p@redis.example.com
on_store_failure: { limits: allow, replicas: 3 }
key_cache: { max_stale: 301s }
routes: [{ path: /a, access: public }]
`,
    [
      'policy.yaml:2:29 on_store_failure.limits: no limit holds while Redis does not answer',
      'policy.yaml:2:36 on_store_failure.replicas: means nothing without limits: local',
      'policy.yaml:3:25 key_cache.max_stale: so long may a revoked key work where Redis cannot be reached',
    ],
  ],
];
