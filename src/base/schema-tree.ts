/** The object or array schema under its wrappers (optional, default, transform). */
export function unwrapped(schema: unknown): unknown {
  let at = schema;
  while (property(at, 'shape') === undefined && property(at, 'element') === undefined) {
    const definition = property(at, 'def');
    const inner = property(definition, 'innerType') ?? property(definition, 'in');
    if (inner === undefined) break;
    at = inner;
  }
  return at;
}

export const property = (value: unknown, key: PropertyKey): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
