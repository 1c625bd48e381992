import { property, unwrapped } from '../base/schema-tree.js';

export type Path = readonly PropertyKey[];

/** The value at a path, undefined where there is none. */
export const valueAt = (value: unknown, path: Path): unknown => path.reduce<unknown>(property, value);

/** The schema of the value at a path, without its wrappers; undefined where there is none. */
export function schemaAt(schema: unknown, path: Path, value: unknown): unknown {
  let at = unwrapped(schema);
  let own = value;
  for (const key of path) {
    const parent = chosen(at, own);
    own = property(own, key);
    at = unwrapped(typeof key === 'number' ? property(parent, 'element') : property(property(parent, 'shape'), key));
  }
  return at;
}

/** The names of the keys that an object may have; of alternatives, of the one that the value is of. */
export const knownKeys = (schema: unknown, value: unknown): string[] => keysOf(chosen(schema, value));

/** One of the alternatives of a schema. */
export const optionAt = (schema: unknown, index: number): unknown => property(property(schema, 'options'), index);

/** Of alternatives, the one that a value is of: by its kind where they have one, else by the keys that it has. */
function chosen(schema: unknown, value: unknown): unknown {
  const options = property(schema, 'options');
  if (!Array.isArray(options)) return schema;
  return unwrapped(optionOf(options, property(property(schema, 'def'), 'discriminator'), value));
}

function optionOf(options: readonly unknown[], discriminator: unknown, value: unknown): unknown {
  if (typeof discriminator === 'string') {
    const kind = property(value, discriminator);
    return options.find((option) => kindsOf(option, discriminator).includes(kind));
  }
  if (Array.isArray(value)) return options.find((option) => property(option, 'element') !== undefined);
  const shared = (option: unknown) => keysOf(option).filter((key) => property(value, key) !== undefined).length;
  const [best] = options.filter((option) => shared(option) > 0).toSorted((a, b) => shared(b) - shared(a));
  return best;
}

const keysOf = (schema: unknown): string[] => Object.keys(property(schema, 'shape') ?? {});

function kindsOf(option: unknown, discriminator: string): unknown[] {
  const values = property(property(property(property(option, 'shape'), discriminator), 'def'), 'values');
  return Array.isArray(values) ? values : [];
}
