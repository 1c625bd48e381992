// The one table of cases: adding one is its own file and its row here.
import { blackout } from './blackout.mjs';
import { cycles } from './cycles.mjs';
import { deadline } from './deadline.mjs';
import { digest } from './digest.mjs';
import { digestIncremental } from './digest-incremental.mjs';
import { dirtyShare } from './dirty-share.mjs';
import { freezeManyCase } from './freeze-many.mjs';
import { memory } from './memory.mjs';
import { pause } from './pause.mjs';
import { pauseJs } from './pause-js.mjs';
import { restoreFile } from './restore-file.mjs';
import { resume } from './resume.mjs';
import { rollback } from './rollback.mjs';
import { snapshotDifferential } from './snapshot-differential.mjs';
import { snapshotFull } from './snapshot-full.mjs';
import { snapshotLive } from './snapshot-live.mjs';
import { storeCost } from './store-cost.mjs';

export const CASES = [
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
  dirtyShare,
  deadline,
  cycles,
];

/** Promises whose figure another program gives. */
export const ELSEWHERE = [
  {
    promise: 'P15',
    command: 'standstill_soak --cycles 1000000',
    source: 'test/native/soak.cc',
    note: 'run by npm run test:long; its log is test/long/soak.log',
  },
];
