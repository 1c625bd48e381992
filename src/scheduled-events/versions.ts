/** The api-versions of Scheduled Events, oldest first. They are dates, so that text compares as they do. */
export const EVENT_API_VERSIONS = [
  '2017-03-01',
  '2017-08-01',
  '2017-11-01',
  '2019-01-01',
  '2019-04-01',
  '2019-08-01',
  '2020-07-01',
] as const;

/** An api-version of /metadata/scheduledevents. */
export type EventApiVersion = (typeof EVENT_API_VERSIONS)[number];

export const NEWEST_EVENT_API_VERSION: EventApiVersion = '2020-07-01';

/** The api-versions of /metadata/instance, oldest first. */
export const INSTANCE_API_VERSIONS = [
  '2017-03-01',
  '2017-04-02',
  '2017-08-01',
  '2017-10-01',
  '2017-12-01',
  '2018-02-01',
  '2018-04-02',
  '2018-10-01',
  '2019-02-01',
  '2019-03-11',
  '2019-04-30',
  '2019-06-01',
  '2019-06-04',
  '2019-08-01',
  '2019-08-15',
  '2019-11-01',
  '2020-06-01',
  '2020-07-15',
  '2020-09-01',
  '2020-10-01',
  '2020-12-01',
  '2021-01-01',
  '2021-02-01',
  '2021-03-01',
  '2021-05-01',
  '2021-10-01',
  '2021-11-01',
  '2021-11-15',
  '2021-12-13',
] as const;

/** What each api-version added; the one before lacks it. */
export const ADDED = {
  /** Resource names without an underscore, and the Metadata header enforced. */
  plainNames: '2017-08-01',
  preempt: '2017-11-01',
  terminate: '2019-01-01',
  description: '2019-04-01',
  eventSource: '2019-08-01',
  durationInSeconds: '2020-07-01',
} as const satisfies Record<string, EventApiVersion>;

const NEWEST_SHOWN = 3;

/** The version that a query names: exactly one, and a known one; else undefined. */
export function versionOf<Version extends string>(query: unknown, known: readonly Version[]): Version | undefined {
  const value = typeof query === 'object' && query !== null ? Reflect.get(query, 'api-version') : undefined;
  return known.find((version) => version === value);
}

/** The newest versions first, as an error names them. */
export const newestOf = (known: readonly string[]): string[] => known.slice(-NEWEST_SHOWN).reverse();

export const allApiVersions = (): string[] => [...new Set([...EVENT_API_VERSIONS, ...INSTANCE_API_VERSIONS])].sort();
