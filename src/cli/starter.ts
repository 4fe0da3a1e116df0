/** A first policy: small, whole, and with the store that keys are kept in. */
export function starterPolicy(storePath: string): string {
  // In a policy "${" begins a placeholder.
  const store = JSON.stringify(`sqlite:${storePath}`).replaceAll('${', () => '$${');
  return `# The policy of Postern. Check a change with: postern validate FILE
# Every key of it is described in docs/configuration.md.

# Keys, users and workspaces that the API and the command line make are kept here.
store: ${store}

listen:
  check: 127.0.0.1:9191    # Envoy asks here, by gRPC
  api: 127.0.0.1:9192      # the management API
  ops: 127.0.0.1:9193      # health and metrics

api_keys:
  prefixes:
    pst_: { description: What every key begins with }

plans:
  standard: { per_minute: 600, burst: 60 }
default_plan: standard

# The first that matches decides; what matches none is refused.
routes:
  # The management API, for those who come through Envoy. It checks the key once more itself,
  # and so the key is not stripped.
  - name: api-keys
    path: /v1/api-keys/**
    access: [api_key]
    scopes: { GET: ["api_keys:read"], "*": ["api_keys:write"] }
    strip_credentials: false
  - name: verify
    path: /v1/auth/verify
    methods: [GET]
    access: [api_key]
    strip_credentials: false
    plan: none

  # Your services: any sound key is let in. Ask for scopes here, and give them to keys.
  - name: services
    path: /**
    access: [api_key]
`;
}
