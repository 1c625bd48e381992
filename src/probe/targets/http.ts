import { messageOf } from '../../base/errors.js';
import type { HttpTarget } from '../options.js';
import { type Asker, asker, assertHas } from './ask.js';

export const httpAsker = ({ http, expectText }: HttpTarget): Asker =>
  asker(async (signal) => {
    const response = await fetch(http, { signal, redirect: 'manual' }).catch((error) => {
      // "fetch failed" has what failed as its cause.
      throw new Error(messageOf(error instanceof Error ? (error.cause ?? error) : error));
    });
    if (response.status >= 400) {
      await response.body?.cancel();
      throw new Error(`expected a status below 400 but received ${response.status}`);
    }
    assertHas(await response.text(), expectText);
  });
