// usage: node --import die-at.mjs update.mjs <store> <bundle> <public key>: one update of a store, killed anywhere.
import { readBundleHead, readKey } from 'standstill';
import { ComponentStore } from '../../../dist/components/store.js';
import { Update } from '../../../dist/components/update.js';

const [root, path, key] = process.argv.slice(2);
const trusted = [await readKey(key, 'public')];
const { manifest } = await readBundleHead(path);
await ComponentStore.open(root);
const update = Update.begin(root, 'killed', [{ path, manifest }]);
await update.stage({ path, manifest }, trusted);
await update.verify({ path, manifest });
update.prepare();
update.switch('agent', null);
await update.checkHealth();
update.commit();
console.log('committed');
