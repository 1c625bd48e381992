import { show } from '../base/errors.js';
import { meantOrKnown } from './hints.js';
import { type Finding, placeOf } from './issues.js';

export type NameKind = 'host' | 'set' | 'vm' | 'patch' | 'probe';
/** Undefined: it is not known which names there are. */
export type Named = Readonly<Record<NameKind, readonly string[] | undefined>>;

const WORDS: Readonly<Record<NameKind, string>> = {
  host: 'a host',
  set: 'an availability set',
  vm: 'a VM',
  patch: 'a patch',
  probe: 'a probe',
};

/** What is wrong with a name that is to be one of those that there are: nothing, or a finding. */
export function referTo(kind: NameKind, names: Named, path: Finding['path'], name: string): Finding[] {
  const known = names[kind];
  if (known === undefined || known.includes(name)) return [];
  const message = `Expected the name of ${WORDS[kind]} for '${placeOf(path)}' but received ${show(name)}`;
  return [{ path, message, hint: meantOrKnown(name, known) }];
}

/** A finding for each name that another one has before it; the first of an entry is enough. */
export function unique(
  what: string,
  named: readonly { readonly name: string; readonly path: Finding['path'] }[],
): Finding[] {
  const seen = new Map<string, string>();
  const told = new Set<string>();
  return named.flatMap(({ name, path }) => {
    const first = seen.get(name);
    if (first === undefined) {
      seen.set(name, placeOf(path));
      return [];
    }
    if (told.has(placeOf(path))) return [];
    told.add(placeOf(path));
    const message = `Expected a name that no other ${what} has for '${placeOf(path)}' but received ${show(name)}`;
    return [{ path, message, hint: `'${first}' has it too` }];
  });
}
