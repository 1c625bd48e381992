import { StandstillError } from './errors.js';

/** The promise, or a rejection with ERR_CALLBACK_TIMEOUT and the message where it is not settled in so many milliseconds. */
export async function withinMs<T>(promise: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StandstillError('ERR_CALLBACK_TIMEOUT', message)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
