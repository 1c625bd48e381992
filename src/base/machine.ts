import { arch, cpus, release, totalmem } from 'node:os';

/** Memory that this process may use at most: the machine's, or the container's limit where that is lower. */
export function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** The machine that a run was on, as reports name it. */
export interface MachineDescription {
  cpuModel: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  architecture: string;
  node: string;
}

export const describeMachine = (): MachineDescription => ({
  cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryBytes: machineMemoryBytes(),
  kernel: release(),
  architecture: arch(),
  node: process.versions.node,
});
