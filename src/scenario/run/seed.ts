import { randomInt } from 'node:crypto';

/** A seed that a JSON number holds and that is short enough to be typed again. */
const RANDOM_SEED_LIMIT = 2 ** 32;

export const randomSeed = (): number => randomInt(RANDOM_SEED_LIMIT);
