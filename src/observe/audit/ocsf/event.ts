/** Who writes events: the product of the policy, the host, and the version of this program. */
export type Origin = {
  readonly product: string;
  readonly instance: string;
  readonly version: string;
};

/** An OCSF event, ready for JSON. */
export type OcsfEvent = { readonly [attribute: string]: unknown };

/** A flat record, as the lines of standard output have it. */
export type Flat = { readonly [name: string]: string | number };

const OCSF_VERSION = '1.8.0';

/** A class of OCSF: its number, and that of its category. */
export type OcsfClass = { readonly uid: number; readonly category: number };

export const API_ACTIVITY: OcsfClass = { uid: 6003, category: 6 };
export const AUTHENTICATION: OcsfClass = { uid: 3002, category: 3 };
export const ENTITY_MANAGEMENT: OcsfClass = { uid: 3004, category: 3 };
export const DETECTION_FINDING: OcsfClass = { uid: 2004, category: 2 };

/** `activity_id`, and the name that must stand beside 99 (Other). */
export type Activity = { readonly id: number; readonly name: string };
export const OTHER_ACTIVITY = 99;

export const SEVERITIES = {
  informational: { id: 1, name: 'Informational' },
  low: { id: 2, name: 'Low' },
  medium: { id: 3, name: 'Medium' },
  high: { id: 4, name: 'High' },
  critical: { id: 5, name: 'Critical' },
} as const;

/** What every event says. */
export type Common = {
  readonly id: string;
  /** RFC 3339. */
  readonly time: string;
  /** The event's own name: `check`, `key.created`. */
  readonly code: string;
  readonly activity: Activity;
  readonly severity: keyof typeof SEVERITIES;
  readonly message: string;
  readonly requestId?: string | undefined;
  readonly profiles?: readonly string[] | undefined;
};

/** The attributes that the base event of OCSF requires or recommends. */
export function baseEvent(of: OcsfClass, common: Common, origin: Origin): OcsfEvent {
  const { id, time, code, activity, severity, message, requestId, profiles = [] } = common;
  return {
    class_uid: of.uid,
    category_uid: of.category,
    activity_id: activity.id,
    activity_name: activity.name,
    type_uid: of.uid * 100 + activity.id,
    time: Date.parse(time),
    severity_id: SEVERITIES[severity].id,
    severity: SEVERITIES[severity].name,
    message,
    metadata: {
      version: OCSF_VERSION,
      uid: id,
      event_code: code,
      product: { name: 'Postern', vendor_name: 'Postern', version: origin.version },
      log_name: 'audit',
      ...present({ correlation_uid: requestId }),
      ...(profiles.length > 0 && { profiles }),
    },
  };
}

/** The endpoint of an address. A masked one is no IP, and an unknown one is said to be so: the object needs something. */
export function endpointOf(address: unknown): OcsfEvent {
  if (typeof address !== 'string' || address === '') return { name: 'unknown' };
  return /^[0-9a-f.:]+$/i.test(address) ? { ip: address } : { uid: address };
}

/** The members that are there. */
export function present(members: { readonly [name: string]: unknown }): OcsfEvent {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && value !== ''),
  );
}

/** `unmapped` with what OCSF has no attribute for; nothing where there is nothing. */
export function unmapped(members: { readonly [name: string]: unknown }): OcsfEvent {
  const left = present(members);
  return Object.keys(left).length === 0 ? {} : { unmapped: left };
}
