import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { StandstillError, show, unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { describeFolder } from './bundle.js';
import { isAlive, makeDurableSync, storeIo } from './durable.js';
import { isEnded, Journal, type JournalRecord } from './journal.js';
import { layout } from './layout.js';
import {
  type BundleFile,
  type BundleManifest,
  componentNameSchema,
  IMPACT_CLASSES,
  type ImpactClass,
  versionSchema,
} from './manifest.js';
import { type EndOfUpdate, Update } from './update.js';
import { placeVersion, readVersion, verifyFiles, writeJson } from './versions.js';

/** A component of the hosting environment, as it is installed. */
export interface Component {
  name: string;
  version: string;
  /** Where the files of the current version lie. */
  folder: string;
  files: readonly BundleFile[];
  /** The version that a rollback restores; null: there is none. */
  previousVersion: string | null;
  /** False: no patch of class 'pause' is applied to it. */
  allowsPause: boolean;
}

/** What was found of an update that did not end: its process was killed, or the machine lost its power. */
export interface RecoveryRecord {
  update: string;
  /** The last step that its journal has. */
  lastStep: JournalRecord['step'];
  /** 'rolled-back': the old versions are current. 'committed': the new ones are. */
  outcome: EndOfUpdate;
  components: { name: string; version: string }[];
}

/** A first version of a component, as `install` takes it. */
export interface InstallOptions {
  /** 1 to 64 letters, digits, dots, dashes and underscores. */
  component: string;
  /** A semantic version. */
  version: string;
  /** A folder of regular files, which are copied. */
  files: string;
  /** Whether patches may pause VMs for it. Default true. */
  allowsPause?: boolean | undefined;
}

const installSchema = z.strictObject({
  component: componentNameSchema,
  version: versionSchema,
  files: z.string('a path').min(1, 'a path'),
  allowsPause: z.boolean('true or false').default(true),
});

interface ComponentRecord {
  readonly schemaVersion: 1;
  readonly allowsPause: boolean;
}

/**
 * A host's components, each version in a folder of its own, the current one chosen by a link that is replaced in one
 * step. Nothing is made on disk before the first component is installed. One process at a time.
 */
export class ComponentStore {
  readonly root: string;
  readonly #journal: Journal;
  #recovery: RecoveryRecord | null = null;

  /** The stores of this process, for its threads' updates cannot be told apart in a journal. */
  static readonly #open = new Set<string>();

  private constructor(root: string) {
    this.root = root;
    this.#journal = new Journal(layout.journal(root));
  }

  /** Opens it, and ends what a killed process has left behind. ERR_STORE_BUSY, ERR_STORE_IO, ERR_STORE_DAMAGED. */
  static async open(root: string): Promise<ComponentStore> {
    if (ComponentStore.#open.has(root)) {
      throw new StandstillError(
        'ERR_STORE_BUSY',
        `Expected a folder of its own for a host but ${root} is another one's`,
      );
    }
    const store = new ComponentStore(root);
    await storeIo(root, () => store.#recover());
    ComponentStore.#open.add(root);
    return store;
  }

  /** Another host may have the folder. Idempotent. */
  close(): void {
    ComponentStore.#open.delete(this.root);
  }

  /** What `open` had to end; null where all was well. */
  get recovery(): RecoveryRecord | null {
    return this.#recovery;
  }

  /** All components, by name. ERR_STORE_DAMAGED. */
  list(): Component[] {
    if (!existsSync(this.root)) return [];
    const names = readdirSync(this.root).filter((name) => existsSync(layout.current(this.root, name)));
    return names.sort().map((name) => this.#read(name));
  }

  /** Undefined where it is not installed. */
  get(name: string): Component | undefined {
    return componentNameSchema.safeParse(name).success && existsSync(layout.current(this.root, name))
      ? this.#read(name)
      : undefined;
  }

  /**
   * Installs a component that is not there yet, whole or not at all. Rejects with ERR_INVALID_OPTION (it is there, too),
   * ERR_UNKNOWN_OPTION, ERR_BUNDLE_INVALID (links among the files), ERR_STORE_IO.
   */
  async install(options: InstallOptions): Promise<Component> {
    const { component, version, files: source, allowsPause } = parseOptions(installSchema, options, 'a component');
    if (this.get(component) !== undefined) {
      throw unexpected(
        'ERR_INVALID_OPTION',
        'a component that is not installed',
        "'component' of a component",
        component,
      );
    }
    return await storeIo(this.root, async () => {
      const files = await describeFolder(source);
      const folder = layout.component(this.root, component);
      mkdirSync(this.root, { recursive: true });
      // What an installation that was killed has left is no component.
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(layout.versions(this.root, component), { recursive: true });
      writeJson(layout.record(this.root, component), { schemaVersion: 1, allowsPause } satisfies ComponentRecord);
      await placeVersion(this.root, component, { version, files, source });
      makeDurableSync(folder);
      makeDurableSync(this.root);
      return this.#read(component);
    });
  }

  /**
   * Makes the previous version current again, with the VMs as they are. Rejects with ERR_COMPONENT_NOT_FOUND (no such
   * component, or no version before), ERR_STORE_BUSY, ERR_STORE_IO.
   */
  async rollback(name: string): Promise<Component> {
    const current = this.get(name);
    if (current === undefined || current.previousVersion === null) {
      const missing =
        current === undefined ? `no component ${show(name)}` : `no version of ${show(name)} before its current one`;
      throw new StandstillError('ERR_COMPONENT_NOT_FOUND', `Expected a version to go back to but there is ${missing}`);
    }
    return await storeIo(this.root, () => {
      const update = Update.back(this.root, randomUUID(), current, readlinkSync(layout.previous(this.root, name)));
      update.prepare();
      update.switch(name, null);
      update.commit();
      return this.#read(name);
    });
  }

  /** What a maintenance needs to know to do what `rollback` does; undefined where there is nothing to go back to. */
  wayBack(name: string): BundleManifest | undefined {
    const current = this.get(name);
    if (current === undefined || current.previousVersion === null) return undefined;
    const folder = join(layout.component(this.root, name), readlinkSync(layout.previous(this.root, name)));
    const { version, files } = readVersion(folder);
    return {
      ...{ schemaVersion: 1, id: 'rollback', component: name, from: current.version, to: version, description: '' },
      impact: this.#impactBetween(name, [current.version, version]),
      expectedDurationMs: 0,
      dependencies: {},
      files: [...files],
    };
  }

  /** Reads every byte of a component's current version. Rejects with ERR_BUNDLE_DIGEST, ERR_COMPONENT_NOT_FOUND. */
  async verify(name: string): Promise<Component> {
    const component = this.get(name);
    if (component === undefined) {
      throw new StandstillError('ERR_COMPONENT_NOT_FOUND', `Expected a component but there is no ${show(name)}`);
    }
    await storeIo(this.root, () => verifyFiles(component.folder, component.files, `${name} ${component.version}`));
    return component;
  }

  /** Every step of every update, in order. */
  journal(): JournalRecord[] {
    return this.#journal.records();
  }

  #read(name: string): Component {
    try {
      const { allowsPause }: ComponentRecord = JSON.parse(readFileSync(layout.record(this.root, name), 'utf8'));
      const folder = join(layout.component(this.root, name), readlinkSync(layout.current(this.root, name)));
      const { version, files } = readVersion(folder);
      const previous = layout.previous(this.root, name);
      const previousVersion = existsSync(previous) ? readVersion(previous).version : null;
      return { name, version, folder: layout.files(folder), files, previousVersion, allowsPause };
    } catch (cause) {
      const message = `Expected a component at ${layout.component(this.root, name)} but its records cannot be read`;
      throw new StandstillError('ERR_STORE_DAMAGED', message, { cause });
    }
  }

  /** The greatest class of the updates from one version to the other, whichever way: what the way back takes, too. */
  #impactBetween(name: string, versions: readonly string[]): ImpactClass {
    const changes = this.journal()
      .flatMap((record) => (record.step === 'begin' ? record.changes : []))
      .filter(({ component, from, to }) => component === name && versions.includes(from) && versions.includes(to));
    return IMPACT_CLASSES.findLast((impact) => changes.some((change) => change.impact === impact)) ?? 'pause';
  }

  #recover(): void {
    const records = this.#journal.newest();
    const [first] = records;
    const last = records.at(-1);
    if (first?.step !== 'begin' || last === undefined || isEnded(records)) return;
    if (isAlive(first.owner) && first.owner.pid !== process.pid) {
      const message = `Expected no update under way in ${this.root} but process ${first.owner.pid} is at one`;
      throw new StandstillError('ERR_STORE_BUSY', message);
    }
    const outcome = Update.end(this.root, records);
    const components = first.changes.map(({ component }) => ({
      name: component,
      version: this.#read(component).version,
    }));
    this.#recovery = { update: first.update, lastStep: last.step, outcome, components };
  }
}
