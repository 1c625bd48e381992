import { machineMemoryBytes } from '../base/machine.js';
import { addon } from '../native/addon.js';
import type { NativePageStore } from '../native/contract.js';

/** The cap on the memory of snapshots where none is given: half the machine's. */
export const snapshotBytesDefault = (): number => Math.floor(machineMemoryBytes() / 2);

/** For snapshots that belong to no host. */
export const ownPageStore = (): NativePageStore => addon.createPageStore(snapshotBytesDefault());
