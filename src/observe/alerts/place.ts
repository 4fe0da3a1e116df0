/** Where an address is, as far as the databases know. */
export type Place = {
  /** ISO 3166-1: `CH`. */
  readonly country?: string | undefined;
  /** Autonomous system: `AS64500`. */
  readonly network?: string | undefined;
  /** Who runs the network, as the database says. */
  readonly networkName?: string | undefined;
};

const COUNTRY = /^[A-Z]{2}$/;
const NETWORK = /^AS\d{1,10}$/;
const NAME_CHARS_MAX = 100;

/**
 * Reads one record of an MMDB file: of MaxMind and DB-IP (`country.iso_code`, `autonomous_system_number`), or of IPinfo
 * (`country_code` or `country`, `asn`). What is not in form is left out.
 */
export function readPlace(record: unknown): Place {
  if (!isMap(record)) return {};
  return {
    country: readCountry(record),
    network: readNetwork(record),
    networkName: readName(record),
  };
}

function readCountry({ country, country_code: code }: Fields): string | undefined {
  const written = isMap(country) ? country['iso_code'] : (code ?? country);
  return typeof written === 'string' && COUNTRY.test(written) ? written : undefined;
}

function readNetwork(record: Fields): string | undefined {
  const { autonomous_system_number: number, asn, traits } = record;
  const found = number ?? asn ?? (isMap(traits) ? traits['autonomous_system_number'] : undefined);
  const written = typeof found === 'number' ? `AS${found}` : found;
  return typeof written === 'string' && NETWORK.test(written) ? written : undefined;
}

function readName(record: Fields): string | undefined {
  const { autonomous_system_organization: organization, as_name: name } = record;
  const written = organization ?? name;
  return typeof written === 'string' && written !== ''
    ? written.slice(0, NAME_CHARS_MAX)
    : undefined;
}

type Fields = { readonly [field: string]: unknown };

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
