import type { Decision, Reason } from '../../core/decision.ts';
import type { Route } from '../../core/policy.ts';
import type { Principal } from '../../core/principal.ts';
import { Counter, type Registry } from './prom-client.ts';

type CredentialLabels = {
  /** `none`: nothing was sent, or nothing that can be told apart. */
  readonly method: Principal['kind'] | 'none';
  /** Of an accepted token, by its name in the policy. */
  readonly issuer: string;
  readonly outcome: 'accepted' | Reason;
};

/** Counts what became of credentials: a check counts once, and not on a public route, where none is read. */
export function credentialMetric(registry: Registry): (decision: Decision) => void {
  const counts = new Map<string, { readonly labels: CredentialLabels; total: number }>();
  new Counter({
    name: 'postern_credentials_total',
    help: 'Credentials by method, issuer and outcome: accepted, or why they were refused.',
    labelNames: ['method', 'issuer', 'outcome'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, total } of counts.values()) this.inc(labels, total);
    },
  });
  return (decision) => {
    const labels = labelsOf(decision);
    if (!labels) return;
    const id = `${labels.method}\n${labels.outcome}\n${labels.issuer}`;
    const count = counts.get(id);
    if (count) count.total += 1;
    else counts.set(id, { labels, total: 1 });
  };
}

/** Nothing where no credential was judged. A caller who was known and then refused had a good credential. */
function labelsOf(decision: Decision): CredentialLabels | undefined {
  const { principal, route } = decision;
  if (principal) {
    if (route?.access.kind === 'public') return undefined;
    return { method: principal.kind, issuer: principal.issuer?.name ?? '', outcome: 'accepted' };
  }
  if (decision.kind !== 'deny' || decision.step !== 'identify') return undefined;
  const { reason, key } = decision;
  const method = key ? 'api_key' : methodOf(reason, route);
  return { method, issuer: '', outcome: reason };
}

function methodOf(reason: Reason, route: Route | undefined): CredentialLabels['method'] {
  if (reason === 'unknown_key' || reason.startsWith('key_')) return 'api_key';
  if (reason.startsWith('token_')) return 'jwt';
  return reason === 'credential_not_accepted' ? unacceptedMethod(route) : 'none';
}

/** A sound credential that a route does not take is of the kind that it does not take. */
function unacceptedMethod(route: Route | undefined): CredentialLabels['method'] {
  if (route?.access.kind !== 'credentials') return 'none';
  const { apiKey, jwt } = route.access;
  if (apiKey === jwt) return 'none';
  return apiKey ? 'jwt' : 'api_key';
}
