export type Path = readonly PropertyKey[];

/** The value at a path, undefined where there is none. */
export const valueAt = (value: unknown, path: Path): unknown => path.reduce<unknown>(property, value);

/** The schema of the value at a path; of alternatives by kind, the one of the value's. Undefined where there is none. */
export function schemaAt(schema: unknown, path: Path, value: unknown): unknown {
  let at = unwrapped(schema, value);
  let own = value;
  for (const key of path) {
    own = property(own, key);
    at = unwrapped(typeof key === 'number' ? property(at, 'element') : property(property(at, 'shape'), key), own);
  }
  return at;
}

/** The names of the keys of an object's schema. */
export const keysOf = (schema: unknown): string[] => Object.keys(property(schema, 'shape') ?? {});

/** One of the alternatives of a schema. */
export const optionAt = (schema: unknown, index: number): unknown => property(property(schema, 'options'), index);

/** The object, array or union under its wrappers (optional, default, transform). */
function unwrapped(schema: unknown, value: unknown): unknown {
  let at = schema;
  while (property(at, 'shape') === undefined && property(at, 'element') === undefined) {
    const definition = property(at, 'def');
    const discriminator = property(definition, 'discriminator');
    const options = property(at, 'options');
    const inner =
      typeof discriminator === 'string' && Array.isArray(options)
        ? options.find((option) => isOf(option, discriminator, property(value, discriminator)))
        : (property(definition, 'innerType') ?? property(definition, 'in'));
    if (inner === undefined) break;
    at = inner;
  }
  return at;
}

function isOf(option: unknown, discriminator: string, kind: unknown): boolean {
  const values = property(property(property(property(option, 'shape'), discriminator), 'def'), 'values');
  return Array.isArray(values) && values.includes(kind);
}

function property(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
