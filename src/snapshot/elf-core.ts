import type { NativeSnapshotState } from '../native/contract.js';

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const RAM_ALIGNMENT = 4096;
const NOTE_ALIGNMENT = 4;
const [ET_CORE, PT_LOAD, PT_NOTE, PF_RW] = [4, 1, 4, 6];
const NT_PRSTATUS = 1;

/** The notes of ours; debuggers go by the type alone, so theirs are out of the way of the system's. */
export const NOTE_OWNER = 'Standstill';
export const NOTE_ABOUT = 0x53540001;
export const NOTE_REGISTERS = 0x53540002;

/** What a debugger wants of a core: a machine that it knows, and the size of a thread's status there. */
const MACHINES: Partial<Record<NodeJS.Architecture, { machine: number; statusBytes: number }>> = {
  x64: { machine: 62, statusBytes: 336 },
  arm64: { machine: 183, statusBytes: 392 },
};
const STATUS_PID_OFFSET = 32;

/** Which snapshot it is. */
export interface CoreIdentity {
  readonly id: string;
  readonly digest: bigint;
}

/**
 * All of an ELF64 core file that comes before the RAM, which lies at guest addresses from 0 on: docs/SNAPSHOT_FORMAT.md,
 * "Exports". The machine is this one, whose debugger is to open it; the guest's registers are a note, not a thread's.
 */
export function elfCorePrefix(state: NativeSnapshotState, { id, digest }: CoreIdentity): Uint8Array {
  const { machine, statusBytes } = MACHINES[process.arch] ?? { machine: 62, statusBytes: 336 };
  const { vmName, program, params, seed, ramBytes, steps, guestMonotonicNs } = state;
  const about = {
    vmName,
    program,
    params,
    seed: String(seed),
    ramBytes,
    steps,
    guestMonotonicNs,
    id,
    digest: digest.toString(16).padStart(16, '0'),
  };
  const status = Buffer.alloc(statusBytes);
  status.writeUInt32LE(1, STATUS_PID_OFFSET);
  const notes = Buffer.concat([
    note('CORE', NT_PRSTATUS, status),
    note(NOTE_OWNER, NOTE_ABOUT, Buffer.from(JSON.stringify(about))),
    note(NOTE_OWNER, NOTE_REGISTERS, state.registers),
  ]);
  const notesOffset = HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;
  const ramOffset = roundedUp(notesOffset + notes.length, RAM_ALIGNMENT);
  const prefix = Buffer.alloc(ramOffset);
  prefix.set(header(machine));
  const noteSegment = { type: PT_NOTE, flags: 0, offset: notesOffset, bytes: notes.length, alignment: NOTE_ALIGNMENT };
  const ramSegment = { type: PT_LOAD, flags: PF_RW, offset: ramOffset, bytes: ramBytes, alignment: RAM_ALIGNMENT };
  prefix.set(programHeader(noteSegment), HEADER_BYTES);
  prefix.set(programHeader(ramSegment), HEADER_BYTES + PROGRAM_HEADER_BYTES);
  prefix.set(notes, notesOffset);
  return prefix;
}

function header(machine: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian, version 1
  bytes.writeUInt16LE(ET_CORE, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), 32); // of the program headers
  bytes.writeUInt16LE(HEADER_BYTES, 52);
  bytes.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  bytes.writeUInt16LE(2, 56);
  return bytes;
}

interface Segment {
  type: number;
  flags: number;
  offset: number;
  bytes: number;
  alignment: number;
}

function programHeader({ type, flags, offset, bytes, alignment }: Segment): Buffer {
  const header = Buffer.alloc(PROGRAM_HEADER_BYTES);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(flags, 4);
  header.writeBigUInt64LE(BigInt(offset), 8);
  header.writeBigUInt64LE(BigInt(bytes), 32); // in the file
  header.writeBigUInt64LE(BigInt(type === PT_LOAD ? bytes : 0), 40); // in memory, from address 0 on
  header.writeBigUInt64LE(BigInt(alignment), 48);
  return header;
}

function note(owner: string, type: number, content: Uint8Array): Buffer {
  const name = Buffer.from(`${owner}\0`);
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(name.length, 0);
  sizes.writeUInt32LE(content.length, 4);
  sizes.writeUInt32LE(type, 8);
  return Buffer.concat([sizes, padded(name), padded(content)]);
}

const padded = (bytes: Uint8Array): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(roundedUp(bytes.length, NOTE_ALIGNMENT) - bytes.length)]);

const roundedUp = (value: number, to: number): number => Math.ceil(value / to) * to;
