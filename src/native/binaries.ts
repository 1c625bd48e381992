import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const nodeGypBuild: { resolve(folder: string): string } = createRequire(import.meta.url)('node-gyp-build');

/** The addon that was built here, else the one that the package brings for this system. Throws where there is neither. */
export const findAddon = (): string => nodeGypBuild.resolve(ROOT);

/** The place of a native program, which is beside the addon. */
export const besideAddon = (program: string): string => join(dirname(findAddon()), program);
