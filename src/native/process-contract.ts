import type { NativeProgress } from './contract.js';

export type NativeSupervisorRequest = 'status' | 'start' | 'freeze' | 'thaw' | 'members' | 'terminate' | 'close';

/** What a supervisor knows of its guest, whatever it was asked. A `…AtNs` is of the last freeze, 0n until it happened. */
export interface NativeSupervisorReply {
  answer: 'ok' | 'spawn-failed' | 'freeze-timeout' | 'freezer-failed' | 'not-running';
  /** 'ENOENT: No such file or directory'; null where nothing was refused. */
  error: string | null;
  /** What failed of a start. */
  spawnStep: 'none' | 'fork' | 'group' | 'network' | 'folder' | 'exec';
  life: 'not-started' | 'alive' | 'ended';
  frozen: boolean;
  /** The command has ended, and descendants of it are the guest now. */
  daemonised: boolean;
  /** As of the last 'members': descendants that were moved out of the group, and that no freeze reaches. */
  outsideGroup: number;
  pid: number;
  exitCode: number;
  exitSignal: number;
  thawedBy: 'nobody' | 'caller' | 'deadline';
  generation: number;
  requestedAtNs: bigint;
  receivedAtNs: bigint;
  /** Every task was frozen. */
  frozenAtNs: bigint;
  thawAtNs: bigint;
  /** The kernel said that they are thawed. */
  runningAtNs: bigint;
  /** Of 'members': the processes, in rising order. */
  pids: number[];
}

/** The asking side of a supervisor. */
export interface NativeSupervisor {
  /** The descriptor that the supervisor is to have as its 3. */
  supervisorFd(): number;
  /** The supervisor has it: it is closed here. */
  handedOver(): void;
  /** False where the supervisor is gone. Stamps are on CLOCK_MONOTONIC, 0n for none. */
  send(request: NativeSupervisorRequest, untilNs: bigint, deadlineNs: bigint, generation: number): boolean;
  /** The answer to the last request. Blocks. Null where it is gone, or did not answer in time. */
  await(timeoutNs: number): NativeSupervisorReply | null;
  close(): void;
}

export interface NativeProcessImageInfo {
  /** CRC-64/NVME of the bytes read, in the order of pids and addresses. */
  digest: bigint;
  bytesRead: number;
  elapsedNs: number;
  processes: number;
  mappings: number;
  tasks: number;
  tasksWithRegisters: number;
  cpuTimeNs: number;
}

export interface NativeProcessDifference {
  change: 'processes' | 'tasks' | 'mappings' | 'presence' | 'content';
  pid: number;
  /** The first range that differs; 0 for what is no matter of pages. */
  address: bigint;
  lengthBytes: number;
  /** Of the mapping in which it lies: 'rw-p', and its name. */
  permissions: string;
  mapping: string;
  pagesChanged: number;
  detail: string;
}

export interface NativeProcessImage {
  info(): NativeProcessImageInfo;
  pageCrcs(): BigUint64Array;
  /** Null where nothing differs. */
  compare(later: NativeProcessImage): NativeProcessDifference | null;
}

/** `image` is null where the memory of `pid` was refused. */
export type NativeCapture =
  | { pid: number; error: string; image: null }
  | { pid: number; error: null; image: NativeProcessImage };

export interface NativeProcesses {
  openSupervisor(): NativeSupervisor;
  /** A copy of a descriptor of another process, one of this user's. Throws ERR_NETWORK_UNAVAILABLE. */
  takeDescriptor(pid: number, fd: number): number;
  captureProcesses(pids: number[], progress: NativeProgress): Promise<NativeCapture>;
}
