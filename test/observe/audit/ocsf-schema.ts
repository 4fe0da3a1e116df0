/**
 * What OCSF 1.8.0 asks of the classes that are written here: required attributes, the numbers of enumerations, and
 * the objects that need at least one of some attributes. Written from the schema (schema.ocsf.io), not from the code.
 */
type ClassRule = {
  readonly category: number;
  readonly required: readonly string[];
  readonly activities: readonly number[];
  readonly profiles: readonly string[];
  readonly atLeastOne?: readonly string[];
};

const CLASSES: { readonly [uid: number]: ClassRule } = {
  2004: { category: 2, required: ['finding_info'], activities: [1, 2, 3], profiles: [] },
  3002: {
    category: 3,
    required: ['user'],
    activities: [1, 2, 3, 4, 5],
    profiles: ['host'],
    atLeastOne: ['service', 'dst_endpoint'],
  },
  3004: {
    category: 3,
    required: ['entity'],
    activities: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    profiles: ['host'],
  },
  6003: {
    category: 6,
    required: ['actor', 'api', 'src_endpoint'],
    activities: [1, 2, 3, 4],
    profiles: ['security_control', 'trace', 'host'],
  },
};

const BASE = [
  'activity_id',
  'category_uid',
  'class_uid',
  'type_uid',
  'severity_id',
  'time',
  'metadata',
] as const;

/** Enumerations by the attribute that has them. */
const ENUMS: { readonly [attribute: string]: readonly number[] } = {
  severity_id: [0, 1, 2, 3, 4, 5, 6, 99],
  action_id: [0, 1, 2, 3, 4, 99],
  disposition_id: [...Array.from({ length: 28 }, (_, at) => at), 99],
  auth_protocol_id: [...Array.from({ length: 13 }, (_, at) => at), 99],
};
const STATUS_IDS = [0, 1, 2, 99];
const FINDING_STATUS_IDS = [0, 1, 2, 3, 4, 5, 6, 99];

/** Objects by the attribute that holds them: what they require, and of what they need one. */
const OBJECTS: {
  readonly [attribute: string]: {
    readonly required?: readonly string[];
    readonly atLeastOne?: readonly string[];
  };
} = {
  metadata: { required: ['version', 'product'] },
  actor: { atLeastOne: ['process', 'user', 'session', 'app_name', 'app_uid'] },
  user: { atLeastOne: ['account', 'name', 'uid'] },
  account: { atLeastOne: ['name', 'uid'] },
  api: { required: ['operation'] },
  request: { required: ['uid'] },
  service: { atLeastOne: ['name', 'uid'] },
  policy: { atLeastOne: ['name', 'uid'] },
  src_endpoint: { atLeastOne: ['ip', 'uid', 'name', 'hostname', 'svc_name', 'instance_uid'] },
  dst_endpoint: { atLeastOne: ['ip', 'uid', 'name', 'hostname', 'svc_name', 'instance_uid'] },
  entity: { atLeastOne: ['name', 'uid'] },
  entity_result: { atLeastOne: ['name', 'uid'] },
  finding_info: { required: ['uid'] },
  analytic: { required: ['type_id'], atLeastOne: ['name', 'uid'] },
  http_response: { required: ['code'] },
  trace: { required: ['uid'] },
  url: { atLeastOne: ['url_string', 'path'] },
};
/** Attributes that only a profile brings. */
const OF_PROFILES: { readonly [attribute: string]: string } = {
  action_id: 'security_control',
  disposition_id: 'security_control',
  policy: 'security_control',
  trace: 'trace',
};

type Members = { readonly [name: string]: unknown };

/** What is wrong with an event, a sentence each. */
export function ocsfFaults(event: Members): readonly string[] {
  const classUid = Number(event['class_uid']);
  const rule = CLASSES[classUid];
  if (!rule) return [`no such class: ${classUid}`];
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string) => holds || faults.push(fault);
  for (const name of [...BASE, ...rule.required]) demand(event[name] !== undefined, `no ${name}`);
  demand(event['category_uid'] === rule.category, 'category_uid');
  const activity = Number(event['activity_id']);
  demand([...rule.activities, 0, 99].includes(activity), 'activity_id');
  demand(activity !== 99 || isText(event['activity_name']), '99 needs an activity_name');
  demand(event['type_uid'] === classUid * 100 + activity, 'type_uid');
  demand(Number.isSafeInteger(event['time']), 'time');
  const statuses = classUid === 2004 ? FINDING_STATUS_IDS : STATUS_IDS;
  demand(statuses.includes(Number(event['status_id'] ?? 0)), 'status_id');
  const one = rule.atLeastOne ?? [];
  demand(one.length === 0 || one.some((name) => name in event), `none of ${one}`);
  const profiles = asMembers(event['metadata'])['profiles'] ?? [];
  for (const profile of Array.isArray(profiles) ? profiles : ['?']) {
    demand(rule.profiles.includes(profile), `profile ${profile}`);
  }
  for (const [name, profile] of Object.entries(OF_PROFILES)) {
    demand(
      !(name in event) || (profiles as unknown[]).includes(profile),
      `${name} needs a profile`,
    );
  }
  return [...faults, ...memberFaults(event, '')];
}

/** What is wrong in an object and those within it; `unmapped` and `data` are the writer's own. */
function memberFaults(members: Members, path: string): readonly string[] {
  return Object.entries(members).flatMap(([name, value]) => {
    if (name === 'unmapped' || name === 'data') return [];
    const at = `${path}${name}`;
    const objects = (Array.isArray(value) ? value : [value]).filter(
      (one) => typeof one === 'object' && one !== null,
    );
    const inside = objects.flatMap((one) => [
      ...objectFaults(name, one, at),
      ...memberFaults(one, `${at}.`),
    ]);
    return [...valueFaults(name, value, at), ...inside];
  });
}

function valueFaults(name: string, value: unknown, at: string): readonly string[] {
  const isKnown = ENUMS[name]?.includes(Number(value)) ?? true;
  const isAddress = name !== 'ip' || /^[0-9a-f.:]+$/i.test(String(value));
  return [
    ...(value === undefined || value === null ? [`${at} is empty`] : []),
    ...(isKnown ? [] : [`${at}: ${value}`]),
    ...(isAddress ? [] : [`${at} is no address`]),
  ];
}

function objectFaults(name: string, object: Members, at: string): readonly string[] {
  const { required = [], atLeastOne = [] } = OBJECTS[name] ?? {};
  const lacks = required.filter((one) => object[one] === undefined);
  const hasOne = atLeastOne.length === 0 || atLeastOne.some((one) => one in object);
  return [
    ...lacks.map((one) => `${at} lacks ${one}`),
    ...(hasOne ? [] : [`${at}: none of ${atLeastOne}`]),
  ];
}

function asMembers(value: unknown): Members {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** What is wrong with a CloudEvents 1.0 envelope. */
export function envelopeFaults(envelope: Members): readonly string[] {
  const faults = ['id', 'source', 'type', 'specversion']
    .filter((name) => !isText(envelope[name]))
    .map((name) => `no ${name}`);
  if (envelope['specversion'] !== '1.0') faults.push('specversion');
  if (!URL.canParse(String(envelope['source']), 'http://x')) faults.push('source');
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(String(envelope['time']))) faults.push('time');
  for (const name of Object.keys(envelope)) {
    if (!/^[a-z0-9]{1,20}$/.test(name)) faults.push(`the name ${name}`);
    const isScalar = typeof envelope[name] === 'string' || name === 'data';
    if (!isScalar) faults.push(`${name} is no text`);
  }
  return faults;
}
