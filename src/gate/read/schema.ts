import { z } from 'zod';
import { isStandstillError, messageOf, StandstillError } from '../../base/errors.js';
import { parseOptions } from '../../base/options.js';

export const finite = z.number('a finite number');
export const text = z.string('text');

export const listOf = <Item extends z.ZodType>(item: Item, of: string) => z.array(item, `an array of ${of}`);
export const mapOf = <Value extends z.ZodType>(value: Value, of: string) => z.record(text, value, `an object of ${of}`);

/** Content of the wrong shape is ERR_GATE_INPUT, with the place in it and the file's name. */
export function parseContent<Output>(schema: z.ZodType<Output>, content: unknown, source: string): Output {
  try {
    return parseOptions(schema, content, source);
  } catch (error) {
    if (!isStandstillError(error)) throw error;
    throw new StandstillError('ERR_GATE_INPUT', messageOf(error), { cause: error });
  }
}
