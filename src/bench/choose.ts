import { StandstillError, unexpected } from '../base/errors.js';
import { didYouMean } from '../base/suggest.js';
import type { BenchCase, BenchParamName, BenchParams } from './case.js';

/** The cases of these names, in the table's order; all of them where none are named. ERR_INVALID_OPTION. */
export function chooseCases(cases: readonly BenchCase[], names: readonly string[] | undefined): readonly BenchCase[] {
  if (names === undefined) return cases;
  const known = cases.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const message = `Expected the name of a case for --only but received '${name}'${didYouMean(name, known)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  return cases.filter(({ name }) => names.includes(name));
}

/** A parameter that none of the cases takes would do nothing: ERR_INVALID_OPTION. */
export function assertTaken(
  cases: readonly BenchCase[],
  params: BenchParams,
  flags: Readonly<Record<BenchParamName, string>>,
): void {
  for (const [name, value] of Object.entries(params) as [BenchParamName, unknown][]) {
    if (value === undefined || cases.some((one) => one.params?.includes(name))) continue;
    throw unexpected('ERR_INVALID_OPTION', `a case that takes ${flags[name]}`, '--only', namesOf(cases));
  }
}

const namesOf = (cases: readonly BenchCase[]) => cases.map(({ name }) => name).join(',');
