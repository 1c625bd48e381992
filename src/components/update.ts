import type { KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StandstillError } from '../base/errors.js';
import { readBundle } from './bundle.js';
import { isAlive, makeDurableSync, prepareLink, switchLink, thisProcess } from './durable.js';
import { type ComponentChange, isEnded, Journal, type JournalRecord, type JournalStep } from './journal.js';
import { assertTrusted } from './keys.js';
import { layout, versionFolder } from './layout.js';
import { type BundleManifest, canonicalJson } from './manifest.js';
import type { Component } from './store.js';
import { makeTreeDurable, readVersion, removeOthers, verifyFiles, writeDurably, writeVersion } from './versions.js';

/** How an update ended: with the old versions current, or the new ones. */
export type EndOfUpdate = 'rolled-back' | 'committed';

/** A bundle to be applied, as the plan has seen it. */
export interface PlannedBundle {
  /** Null: nothing is extracted, for the version is in the store already. */
  readonly path: string | null;
  readonly manifest: BundleManifest;
}

/**
 * One update of a store, of one component or several: all of it is committed, or none. Each step is in the journal before
 * the next one begins, so that whoever opens the store after a crash ends it: rolled back before `committed`, else
 * cleaned up.
 *
 *     begin → staged, verified (each) → prepared → switched (each) → healthy → committed → closed
 *                                    any of them → rolled-back
 */
export class Update {
  readonly #root: string;
  readonly #id: string;
  readonly #changes: readonly ComponentChange[];
  readonly #journal: Journal;

  private constructor(root: string, id: string, changes: readonly ComponentChange[]) {
    this.#root = root;
    this.#id = id;
    this.#changes = changes;
    this.#journal = new Journal(layout.journal(root));
  }

  /** The components are installed. Throws ERR_STORE_BUSY. */
  static begin(root: string, id: string, bundles: readonly PlannedBundle[]): Update {
    const changes = bundles.map(({ manifest }): ComponentChange => {
      const fromFolder = readlinkSync(layout.current(root, manifest.component));
      const toFolder = versionFolder(manifest.to, manifest.files);
      return {
        patch: manifest.id,
        component: manifest.component,
        impact: manifest.impact,
        from: readVersion(join(layout.component(root, manifest.component), fromFolder)).version,
        to: manifest.to,
        fromFolder,
        toFolder,
        isNew: !existsSync(join(layout.component(root, manifest.component), toFolder)),
      };
    });
    return Update.#begun(root, id, changes);
  }

  /** From a component's current version to one that is still there. */
  static back(root: string, id: string, component: Component, toFolder: string): Update {
    const { name, version } = component;
    const fromFolder = readlinkSync(layout.current(root, name));
    const to = readVersion(join(layout.component(root, name), toFolder)).version;
    const change = {
      patch: 'rollback',
      component: name,
      impact: 'none',
      from: version,
      to,
      fromFolder,
      toFolder,
    } as const;
    return Update.#begun(root, id, [{ ...change, isNew: false }]);
  }

  /** One that has begun, in whatever thread. */
  static resume(root: string, id: string): Update {
    const [first] = new Journal(layout.journal(root)).records().filter(({ update }) => update === id);
    if (first?.step === 'begin') return new Update(root, id, first.changes);
    throw new StandstillError(
      'ERR_STORE_DAMAGED',
      `Expected the update ${id} in the journal of ${root} but it is not there`,
    );
  }

  static #begun(root: string, id: string, changes: readonly ComponentChange[]): Update {
    const journal = new Journal(layout.journal(root));
    const newest = journal.newest();
    const [first] = newest;
    if (first?.step === 'begin' && !isEnded(newest)) {
      if (isAlive(first.owner) && first.owner.pid !== process.pid) {
        throw new StandstillError(
          'ERR_STORE_BUSY',
          `Expected no update under way in ${root} but process ${first.owner.pid} is at one`,
        );
      }
      Update.end(root, newest);
    }
    const update = new Update(root, id, changes);
    update.#log({ step: 'begin', owner: thisProcess(), changes });
    return update;
  }

  /** Extracts a bundle, once its signature is found good. ERR_BUNDLE_UNTRUSTED, ERR_BUNDLE_INVALID. */
  async stage({ path, manifest }: PlannedBundle, trusted: readonly KeyObject[]): Promise<void> {
    if (path === null) return;
    const folder = join(layout.staging(this.#root, this.#id), manifest.component);
    await readBundle(path, {
      onHead: (head) => {
        assertTrusted(head.manifest, head.signature, trusted, path);
        if (canonicalJson(head.manifest) === canonicalJson(manifest)) return;
        throw new StandstillError('ERR_BUNDLE_INVALID', `Expected ${path} as it was planned but it has changed`);
      },
      onFile: (file, content) => writeDurably(join(layout.files(folder), file.path), file, content),
    });
    writeVersion(folder, manifest.to, manifest.files);
    makeTreeDurable(folder);
    this.#log({ step: 'staged', component: manifest.component });
  }

  /** Reads back what was staged, or is there already. ERR_BUNDLE_DIGEST. */
  async verify({ path, manifest: { component, to, files } }: PlannedBundle): Promise<void> {
    const staged = join(layout.staging(this.#root, this.#id), component);
    const folder = path === null ? join(layout.component(this.#root, component), versionFolder(to, files)) : staged;
    await verifyFiles(layout.files(folder), files, path ?? `${component} ${to}`);
    this.#log({ step: 'verified', component });
  }

  /** All but the switch itself: the versions are in their places, the new links beside the old ones. */
  prepare(): void {
    for (const { component, toFolder } of this.#changes) {
      const staged = join(layout.staging(this.#root, this.#id), component);
      const target = join(layout.component(this.#root, component), toFolder);
      // One that is there already stays: whether it is whole is seen by the health check.
      if (!existsSync(target)) {
        mkdirSync(dirname(target), { recursive: true });
        renameSync(staged, target);
        makeDurableSync(dirname(target));
      }
      prepareLink(toFolder, layout.nextLink(this.#root, component));
    }
    this.#log({ step: 'prepared' });
  }

  /** Makes the new version of a component the current one. */
  switch(component: string, generation: number | null): void {
    switchLink(layout.nextLink(this.#root, component), layout.current(this.#root, component));
    this.#log({ step: 'switched', component, generation });
  }

  /** Reads what is current now. ERR_BUNDLE_DIGEST. */
  async checkHealth(): Promise<void> {
    for (const { component, to } of this.#changes) {
      const folder = join(layout.component(this.#root, component), readlinkSync(layout.current(this.#root, component)));
      await verifyFiles(layout.files(folder), readVersion(folder).files, `${component} ${to}`);
    }
    this.#log({ step: 'healthy' });
  }

  /** The new versions stay. */
  commit(): void {
    this.#log({ step: 'committed' });
    this.#close();
  }

  /** The old versions are current again. Idempotent. */
  rollBack(reason: string): void {
    for (const { component, fromFolder, toFolder, isNew } of this.#changes.toReversed()) {
      const link = layout.current(this.#root, component);
      const next = layout.nextLink(this.#root, component);
      if (readlinkSync(link) !== fromFolder) {
        prepareLink(fromFolder, next);
        switchLink(next, link);
      }
      rmSync(next, { force: true });
      if (isNew) rmSync(join(layout.component(this.#root, component), toFolder), { recursive: true, force: true });
    }
    this.#removeStaging();
    this.#log({ step: 'rolled-back', reason });
  }

  /** Behind a commit: what it needs no more. Idempotent. */
  #close(): void {
    for (const { component, fromFolder, toFolder } of this.#changes) {
      const next = layout.nextLink(this.#root, component);
      prepareLink(fromFolder, next);
      switchLink(next, layout.previous(this.#root, component));
      removeOthers(this.#root, component, new Set([fromFolder, toFolder]));
    }
    this.#removeStaging();
    this.#log({ step: 'closed' });
  }

  /** Ends an update whose process did not. */
  static end(root: string, records: readonly JournalRecord[]): EndOfUpdate {
    const [first] = records;
    if (first?.step !== 'begin')
      throw new StandstillError('ERR_STORE_DAMAGED', `Expected a begun update in ${root} but its journal has none`);
    const update = new Update(root, first.update, first.changes);
    if (records.some(({ step }) => step === 'committed')) {
      update.#close();
      return 'committed';
    }
    update.rollBack('it was not committed when its process ended');
    return 'rolled-back';
  }

  #removeStaging(): void {
    rmSync(layout.staging(this.#root, this.#id), { recursive: true, force: true });
  }

  #log(step: JournalStep): void {
    this.#journal.append(this.#id, step);
  }
}
