import { z } from 'zod';

const EXPECTED_TEXT = 'text of up to 256 characters';
const textSchema = z.string(EXPECTED_TEXT).max(256, EXPECTED_TEXT).default('');

/** The fields of a schema for what a VM says of itself. */
export const instanceSchema = z.strictObject({
  vmId: textSchema,
  location: textSchema,
  platformUpdateDomain: textSchema,
  platformFaultDomain: textSchema,
  resourceGroupName: textSchema,
  subscriptionId: textSchema,
  tags: textSchema,
  vmSize: textSchema,
  zone: textSchema,
});

/** What /metadata/instance says of a VM besides its name. All of it is text, and '' where absent. */
export interface InstanceOptions {
  /** Default: a UUID of its own. */
  vmId?: string | undefined;
  location?: string | undefined;
  platformUpdateDomain?: string | undefined;
  platformFaultDomain?: string | undefined;
  resourceGroupName?: string | undefined;
  subscriptionId?: string | undefined;
  /** As 'name:value;name:value'. */
  tags?: string | undefined;
  vmSize?: string | undefined;
  zone?: string | undefined;
}

export type InstanceFields = z.output<typeof instanceSchema>;

/** A branch of the metadata, its leaves all text. */
export interface MetadataTree {
  readonly [key: string]: string | MetadataTree | readonly MetadataTree[];
}

export const instanceTree = (name: string, fields: InstanceFields): MetadataTree => ({
  compute: {
    azEnvironment: '',
    location: fields.location,
    name,
    offer: '',
    osType: 'Linux',
    placementGroupId: '',
    platformFaultDomain: fields.platformFaultDomain,
    platformUpdateDomain: fields.platformUpdateDomain,
    provider: '',
    publicKeys: [],
    publisher: '',
    resourceGroupName: fields.resourceGroupName,
    resourceId: '',
    sku: '',
    subscriptionId: fields.subscriptionId,
    tags: fields.tags,
    tagsList: tagsListOf(fields.tags),
    version: '',
    vmId: fields.vmId,
    vmScaleSetName: '',
    vmSize: fields.vmSize,
    zone: fields.zone,
  },
  network: { interface: [] },
});

const tagsListOf = (tags: string): MetadataTree[] =>
  tags
    .split(';')
    .filter((tag) => tag !== '')
    .map((tag) => {
      const [name = '', ...value] = tag.split(':');
      return { name, value: value.join(':') };
    });

type MetadataNode = MetadataTree[string];

/** The node at a path such as 'compute/name', in any case; undefined where there is none. */
export function nodeAt(tree: MetadataTree, path: string): MetadataNode | undefined {
  let at: MetadataNode | undefined = tree;
  for (const part of path.split('/').filter((name) => name !== '')) {
    if (at === undefined || typeof at === 'string') return undefined;
    const key: string | undefined = Object.keys(at).find((candidate) => candidate.toLowerCase() === part.toLowerCase());
    at = key === undefined ? undefined : Reflect.get(at, key);
  }
  return at;
}

/** A node as plain text: a leaf's value, or a branch's names, one a line, those of branches with a slash. */
export function textOf(node: MetadataNode): string {
  if (typeof node === 'string') return node;
  return Object.entries(node)
    .map(([name, child]) => (typeof child === 'string' ? name : `${name}/`))
    .join('\n');
}
