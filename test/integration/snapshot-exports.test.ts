import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { VmSnapshot } from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { crc64OfFile, snapshotAt } from '../fixtures/snapshots.js';
import { hasTool, runTool } from '../fixtures/tools.js';

describe('exportRaw', () => {
  it.each(['kv-store', 'page-writer'])(
    '%s: the CRC of the file, by another implementation, is the digest',
    async (program) => {
      await withTemporaryFolder(async ({ path, entries }) => {
        const snapshot = await snapshotAt(10_000, { program });
        const file = join(path, 'a.bin');
        await snapshot.exportRaw(file);
        expect(statSync(file).size).toBe(snapshot.ramBytes);
        expect(await crc64OfFile(file)).toBe(await snapshot.digest());
        expect(readFileSync(file).equals(snapshot.read(0, snapshot.ramBytes))).toBe(true);
        expect(entries()).toEqual(['a.bin']);
      });
    },
  );

  it('leaves zeroes as holes', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'a.bin');
      await (await snapshotAt(10, { memory: '40 MiB' })).exportRaw(file);
      expect(statSync(file).size).toBe(40 * 1024 ** 2);
      expect(statSync(file).blocks * 512).toBeLessThan(1024 ** 2);
    });
  });
});

/** `length` bytes of RAM where they are not zero, and their address. */
function someBytes(snapshot: VmSnapshot, length: number): { gpa: number; bytes: Uint8Array } {
  const ram = snapshot.read(0, snapshot.ramBytes);
  const gpa = Math.floor(ram.findLastIndex((byte) => byte !== 0) / length) * length;
  return { gpa, bytes: ram.subarray(gpa, gpa + length) };
}

describe('exportElf', () => {
  it.skipIf(!hasTool('readelf'))('readelf finds nothing to warn about', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const snapshot = await snapshotAt(10_000, { program: 'kv-store' });
      await snapshot.exportElf(join(path, 'a.core'));
      const { stdout, stderr, exitCode } = runTool('readelf', ['-a', '-W', join(path, 'a.core')]);
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
      expect(stdout).not.toMatch(/warning|error/i);
      expect(stdout).toMatch(/Type:\s+CORE/);
      expect(stdout).toMatch(/NOTE\s+0x/);
      expect(stdout).toMatch(/LOAD\s+0x001000 0x0{16} 0x0{16} 0x200000 0x200000 RW {2}0x1000/);
      const about = Buffer.from(
        /0x53540001\)\s+description data: ((?:[0-9a-f]{2} ?)+)/.exec(stdout)?.[1]?.replaceAll(' ', '') ?? '',
        'hex',
      );
      expect(JSON.parse(about.toString())).toMatchObject({
        program: 'kv-store',
        seed: '7',
        steps: 10_000,
        id: await snapshot.id,
        digest: (await snapshot.digest()).toString(16).padStart(16, '0'),
      });
      const registers = Buffer.from(snapshot.registers()).toString('hex').match(/../g)?.join(' ');
      expect(stdout).toContain(`description data: ${registers}`);
    });
  });

  it.skipIf(!hasTool('gdb'))('gdb reads guest memory from it', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const snapshot = await snapshotAt(10_000, { program: 'kv-store' });
      const { gpa, bytes } = someBytes(snapshot, 8);
      await snapshot.exportElf(join(path, 'a.core'));
      const script = ['-ex', `x/8xb ${gpa}`, '-ex', `x/xb ${snapshot.ramBytes}`];
      const { stdout, stderr } = runTool('gdb', ['-batch', '-nx', '-core', join(path, 'a.core'), ...script]);
      const shown = [...bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join('\t');
      expect(stdout).toContain(`0x${gpa.toString(16)}:\t${shown}\n`);
      // The first byte that is not RAM is no memory of it.
      expect(stdout + stderr).toContain(`Cannot access memory at address 0x${snapshot.ramBytes.toString(16)}`);
      expect(stderr).not.toMatch(/warning/i);
    });
  });

  it('the RAM in it is the RAM', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const snapshot = await snapshotAt(3000);
      await snapshot.exportElf(join(path, 'a.core'));
      const file = readFileSync(join(path, 'a.core'));
      expect(file.subarray(-snapshot.ramBytes).equals(snapshot.read(0, snapshot.ramBytes))).toBe(true);
    });
  });
});
