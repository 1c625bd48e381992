// The one table of cases: adding one is its own file and its row here.
import type { BenchCase } from '../case.js';
import { blackout } from './blackout.js';
import { clones } from './clones.js';
import { cycles } from './cycles.js';
import { deadline, deadlineBusy } from './deadline.js';
import { digest } from './digest.js';
import { digestIncremental } from './digest-incremental.js';
import { dirtyShare } from './dirty-share.js';
import { freezeManyCase } from './freeze-many.js';
import { memory } from './memory.js';
import { metadata } from './metadata.js';
import { patchBlackout } from './patch-blackout.js';
import { pause } from './pause.js';
import { pauseJs } from './pause-js.js';
import { pausePeers } from './pause-peers.js';
import { processDigest } from './process-digest.js';
import { processFreeze } from './process-freeze.js';
import { processOverhead } from './process-overhead.js';
import { qemuSnapshots } from './qemu-snapshots.js';
import { restoreFile } from './restore-file.js';
import { resume } from './resume.js';
import { rollback } from './rollback.js';
import { rollout } from './rollout.js';
import { snapshotDifferential } from './snapshot-differential.js';
import { snapshotFull } from './snapshot-full.js';
import { snapshotLive } from './snapshot-live.js';
import { storeCost } from './store-cost.js';

export const CASES: readonly BenchCase[] = [
  pause,
  pauseJs,
  resume,
  blackout,
  freezeManyCase,
  digest,
  digestIncremental,
  snapshotFull,
  snapshotLive,
  snapshotDifferential,
  rollback,
  restoreFile,
  storeCost,
  memory,
  clones,
  dirtyShare,
  deadline,
  rollout,
  deadlineBusy,
  patchBlackout,
  metadata,
  cycles,
  pausePeers,
  processFreeze,
  processDigest,
  processOverhead,
  qemuSnapshots,
];
