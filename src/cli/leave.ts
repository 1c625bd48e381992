/** Ends a command with its exit code. */
export type Leave = (exitCode: number, blockedThreads: number) => Promise<void>;

/**
 * Sets the exit code and lets the process end by itself. Node joins its worker threads on every way out, and would wait
 * for ever for one that a patch has blocked in native code: with such threads the process kills itself once its output
 * is written, and the exit code is that of SIGKILL.
 */
export const leave: Leave = async (exitCode, blockedThreads) => {
  process.exitCode = exitCode;
  if (blockedThreads === 0) return;
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.kill(process.pid, 'SIGKILL');
};

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()));
