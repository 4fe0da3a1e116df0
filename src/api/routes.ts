import { alertRows } from './alerts.ts';
import { auditRows } from './audit.ts';
import { catalogueRows } from './catalogue.ts';
import { keyRows } from './keys.ts';
import { leakedRows } from './leaked.ts';
import { roleRows } from './roles.ts';
import type { Row } from './row.ts';
import { teamRows } from './teams.ts';
import { userRows } from './users.ts';
import { verifyRows } from './verify.ts';
import { workspaceRows } from './workspaces.ts';

/** THE TABLE: every request that the API answers, and the scope that it needs. */
export const ROUTES: readonly Row[] = [
  ...keyRows,
  ...verifyRows,
  ...workspaceRows,
  ...userRows,
  ...teamRows,
  ...roleRows,
  ...catalogueRows,
  ...auditRows,
  ...alertRows,
  ...leakedRows,
];
