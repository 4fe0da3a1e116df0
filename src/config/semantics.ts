import { checkAudit } from './check-audit.ts';
import { checkFailures } from './check-failures.ts';
import { checkIssuers } from './check-issuers.ts';
import { checkKeys } from './check-keys.ts';
import { checkNames } from './check-names.ts';
import { checkPlans } from './check-plans.ts';
import { checkRoutes } from './check-routes.ts';
import { checkScopes } from './check-scopes.ts';
import { checkShell } from './check-shell.ts';
import { checkStore } from './check-store.ts';
import type { Review } from './review.ts';
import { warn } from './warnings.ts';

/** Finds everything that a policy of the right structure gets wrong in itself. */
export function checkSemantics(review: Review): void {
  checkShell(review);
  checkStore(review);
  checkAudit(review);
  checkNames(review);
  checkScopes(review);
  checkIssuers(review);
  checkKeys(review);
  checkPlans(review);
  checkRoutes(review);
  checkFailures(review);
  warn(review);
}
