import { totalmem } from 'node:os';

/** Memory that this process may use at most: the machine's, or the container's limit where that is lower. */
export function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
