import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { checkBundle, createBundle, generateKeyPair, readBundleHead, readKey, signBundle } from 'standstill';
import type { HeaderData } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveOf, BUNDLE, Workshop } from '../fixtures/bundles.js';

let workshop: Workshop;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(() => workshop[Symbol.dispose]());

const check = (path: string) => checkBundle(path, () => {});
const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

describe('a bundle', () => {
  it('says what it was made from, and its files are whole', async () => {
    const path = await workshop.bundle({ dependencies: { kernel: '>=5' }, description: 'a newer agent' });
    const { head, bytesRead } = await check(path);
    expect(head.manifest).toEqual({
      schemaVersion: 1,
      ...BUNDLE,
      dependencies: { kernel: '>=5' },
      description: 'a newer agent',
      files: [
        { path: 'bin/agent', sizeBytes: 9, sha256: sha256('new agent'), executable: false },
        { path: 'etc/agent.conf', sizeBytes: 12, sha256: sha256('verbose = 1\n'), executable: false },
      ],
    });
    expect(head.signature).toMatchObject({ algorithm: 'ed25519', keyId: workshop.keys.keyId });
    expect(bytesRead).toBe(21);
    expect(await readBundleHead(path)).toEqual(head);
  });

  it('has the same bytes for the same files, and is signed anew as if it had been at once', async () => {
    const [first, second] = [await workshop.bundle(), await workshop.bundle()];
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    const unsigned = join(workshop.path, 'unsigned.tar.gz');
    await createBundle(workshop.folder(), unsigned, BUNDLE);
    expect((await readBundleHead(unsigned)).signature).toBeUndefined();
    await signBundle(unsigned, unsigned, await readKey(workshop.keys.privateKey, 'private'));
    expect(readFileSync(unsigned).equals(readFileSync(first))).toBe(true);
  });

  it('larger than the buffers on its way is whole', async () => {
    const content = Buffer.alloc(5_000_001, 'standstill');
    const path = await workshop.bundle({}, { 'image.bin': content, 'other.bin': Buffer.alloc(200_000, 1) });
    expect((await check(path)).bytesRead).toBe(5_200_001);
  });

  it.each([
    [{ id: '' }, 'ERR_INVALID_OPTION'],
    [{ id: '../x' }, 'ERR_INVALID_OPTION'],
    [{ to: '1.1' }, 'ERR_INVALID_OPTION'],
    [{ from: 'newest' }, 'ERR_INVALID_OPTION'],
    [{ impact: 'some' }, 'ERR_INVALID_OPTION'],
    [{ expectedDurationMs: -1 }, 'ERR_INVALID_OPTION'],
    [{ dependencies: { kernel: 'x.y' } }, 'ERR_INVALID_OPTION'],
    [{ duration: 5 }, 'ERR_UNKNOWN_OPTION'],
  ])('is not made of %j', async (options, code) => {
    await expect(workshop.bundle(options as object)).rejects.toMatchObject({ code });
  });

  it('is made of a folder whatever its path is like: relative, or with a slash behind it', async () => {
    const [whole, made] = [await workshop.bundle(), join(workshop.path, 'made.tar.gz')];
    const key = await readKey(workshop.keys.privateKey, 'private');
    for (const folder of [relative('.', workshop.folder()), `${workshop.folder()}/`]) {
      await createBundle(folder, made, BUNDLE, key);
      expect(readFileSync(made).equals(readFileSync(whole))).toBe(true);
    }
  });

  it('is not made of links', async () => {
    const folder = workshop.folder();
    symlinkSync('/etc/passwd', join(folder, 'passwd'));
    const made = createBundle(folder, join(workshop.path, 'b.tar.gz'), BUNDLE);
    await expect(made).rejects.toMatchObject({
      code: 'ERR_BUNDLE_INVALID',
      message: expect.stringContaining('passwd'),
    });
  });
});

describe('an archive that is refused', () => {
  const content = Buffer.from('content');
  const manifestOf = (files: object[]) =>
    Buffer.from(JSON.stringify({ schemaVersion: 1, ...BUNDLE, dependencies: {}, description: '', files }));
  const fileOf = (path: string, changes: object = {}) => ({
    path,
    sizeBytes: content.length,
    sha256: sha256(content),
    executable: false,
    ...changes,
  });

  async function expectRefusal(
    entries: (HeaderData & { content?: Buffer })[],
    message: RegExp,
    code = 'ERR_BUNDLE_INVALID',
  ): Promise<void> {
    const path = join(workshop.path, 'bad.tar.gz');
    writeFileSync(path, archiveOf(entries));
    await expect(check(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  }

  const honest = { path: 'manifest.json', content: manifestOf([fileOf('a')]) };
  const file = { path: 'files/a', content };

  it('control: the honest one is not', async () => {
    const path = join(workshop.path, 'good.tar.gz');
    writeFileSync(path, archiveOf([honest, file]));
    expect((await check(path)).bytesRead).toBe(content.length);
  });

  it.each(['../a', '/a', 'b/../../a', './a', 'a//b', 'a\\b', 'a\0b'])('names a path %j in its manifest', (path) =>
    expectRefusal([{ path: 'manifest.json', content: manifestOf([fileOf(path)]) }, file], /relative path/),
  );

  it.each(['files/../../etc/passwd', '/etc/passwd', 'files/b', 'a'])('has an entry at %j', (path) =>
    expectRefusal([honest, { path, content }], /only files that its manifest names/),
  );

  it.each([
    ['SymbolicLink', '/etc/passwd'],
    ['Link', 'manifest.json'],
    ['CharacterDevice', undefined],
    ['BlockDevice', undefined],
    ['FIFO', undefined],
    ['Directory', undefined],
  ] as const)('has a %s', (type, linkpath) =>
    expectRefusal([honest, { path: 'files/a', type, ...(linkpath && { linkpath }) }], /regular files|only files/),
  );

  it('has an entry twice', () => expectRefusal([honest, file, file], /each entry once/));
  it('has its manifest twice', () => expectRefusal([honest, honest, file], /each entry once/));
  it('names a file twice', () =>
    expectRefusal([{ path: 'manifest.json', content: manifestOf([fileOf('a'), fileOf('a')]) }, file], /twice/));
  it('names a file as a folder', () =>
    expectRefusal(
      [{ path: 'manifest.json', content: manifestOf([fileOf('a'), fileOf('a/b')]) }, file],
      /folder at 'a'/,
    ));
  it('has no manifest', () => expectRefusal([file], /manifest.json as the first entry/));
  it('has nothing', () => expectRefusal([], /manifest.json|whole archive/));
  it('lacks a file', () => expectRefusal([honest], /the file 'a'/));
  it('has a file of another size', () =>
    expectRefusal([honest, { path: 'files/a', content: Buffer.from('more content') }], /7 bytes/));
  it('has a file of other bytes', () =>
    expectRefusal([honest, { path: 'files/a', content: Buffer.from('CONTENT') }], /SHA-256/, 'ERR_BUNDLE_DIGEST'));
  it('has a manifest that is no JSON', () =>
    expectRefusal([{ path: 'manifest.json', content: Buffer.from('{') }, file], /JSON in manifest.json/));
  it('has a signature that is none', () =>
    expectRefusal([honest, { path: 'signature.json', content: Buffer.from('{}') }, file], /Ed25519 signature/));
  it('has a key of its manifest too many', () =>
    expectRefusal([{ path: 'manifest.json', content: Buffer.from('{"schemaVersion":1,"run":"rm"}') }], /run|id/));

  it('is a bomb by its ratio', async () => {
    const zeroes = Buffer.alloc(20 * 1024 ** 2);
    const bomb = { path: 'zeroes', sizeBytes: zeroes.length, sha256: sha256(zeroes), executable: false };
    await expectRefusal(
      [
        { path: 'manifest.json', content: manifestOf([bomb]) },
        { path: 'files/zeroes', content: zeroes },
      ],
      /compression of 200 to 1/,
    );
  });

  it('is a bomb by its number of entries', () => {
    const files = Array.from({ length: 10_001 }, (_, index) => fileOf(`f${index}`));
    return expectRefusal([{ path: 'manifest.json', content: manifestOf(files) }], /10000 files at most/);
  });

  it('says that it is a bomb by its size', () =>
    expectRefusal(
      [{ path: 'manifest.json', content: manifestOf([fileOf('a', { sizeBytes: 5 * 1024 ** 3 })]) }],
      /whole number of bytes/,
    ));

  it('is compressed twice', async () => {
    const path = join(workshop.path, 'twice.tar.gz');
    writeFileSync(path, gzipSync(archiveOf([honest, file])));
    await expect(check(path)).rejects.toMatchObject({ code: 'ERR_BUNDLE_INVALID', message: /twice/ });
  });

  it('is cut anywhere', async () => {
    const whole = archiveOf([honest, file]);
    for (let cut = 0; cut < whole.length; cut += 7) {
      const path = join(workshop.path, 'cut.tar.gz');
      writeFileSync(path, whole.subarray(0, cut));
      await expect(check(path), `cut at ${cut}`).rejects.toMatchObject({ code: 'ERR_BUNDLE_INVALID' });
    }
  });

  it('is no archive', async () => {
    const path = join(workshop.path, 'noise.tar.gz');
    writeFileSync(path, 'this is no archive');
    await expect(check(path)).rejects.toMatchObject({ code: 'ERR_BUNDLE_INVALID' });
  });

  it('is a folder, or not there', async () => {
    mkdirSync(join(workshop.path, 'folder'));
    await expect(check(join(workshop.path, 'folder'))).rejects.toMatchObject({ code: 'ERR_BUNDLE_INVALID' });
    await expect(check(join(workshop.path, 'nothing'))).rejects.toMatchObject({ code: 'ERR_PATCH_NOT_FOUND' });
  });

  it('is whole without compression', async () => {
    const path = join(workshop.path, 'plain.tar');
    writeFileSync(path, gunzipSync(archiveOf([honest, file])));
    expect((await check(path)).bytesRead).toBe(content.length);
  });
});

describe('a key', () => {
  it.each([
    ['nothing', 'no such file'],
    ['-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----', 'PEM text'],
  ])('that is %j is refused', async (source) => {
    await expect(readKey(source, 'public')).rejects.toMatchObject({ code: 'ERR_KEY_INVALID' });
  });

  it('that is private is no public one', async () => {
    await expect(readKey(generateKeyPair().privateKey, 'public')).rejects.toMatchObject({ message: /private key/ });
  });
});
