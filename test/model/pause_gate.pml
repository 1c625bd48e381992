/* The pause gate (native/engine/pause_gate.cc) with its users: the guest thread, a host that freezes
 * and releases, the deadline timer, readers with leases, and stop. docs/PAUSE_PROTOCOL.md explains it;
 * scripts/check-models.mjs runs it.
 *
 * How the C++ is mapped:
 * - `word` has the layout of PauseGate::word_; the generation has 3 bits and starts near its end, so
 *   that it wraps. kParkAtOnce is left out: it only chooses between spinning and sleeping, and here
 *   every wait may look again or sleep at any time.
 * - A compare-and-swap loop is one atomic step: where it succeeds, the word is the one it examined;
 *   where it fails, it examines again. A load whose value is used later is a step of its own.
 * - A futex wait compares and sleeps in one step. A wake is a step apart from the store before it.
 *   Sleepers may wake for no reason, but only SPURIOUS times, so that nothing can rely on it: a lost
 *   wake-up is an invalid end state.
 * - Vm's control mutex is `control`. Freeze::holder is left out: the generation alone must suffice.
 * - Memory is sequentially consistent. All shared state of the gate is one word, so its own accesses
 *   have one order anyway; what release and acquire order around it is ThreadSanitizer's to check.
 *
 * -DBREAK_<name> seeds a bug, which the checker must find.
 */
#ifndef FREEZES
#define FREEZES 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef SELF_HALTS
#define SELF_HALTS 1
#endif
#ifndef SPURIOUS
#define SPURIOUS 0
#endif

#define RUNNING 0
#define REQUESTED 1
#define HALTED 2
#define RELEASING 3
#define STATE_MASK 3
#define STANDS_STILL 2 /* the bit that HALTED and RELEASING share */
#define IDLE 4
#define GUEST_ASLEEP 8
#define HOST_ASLEEP 16
#define STOP 64
#define ATTENTION (STATE_MASK | IDLE | STOP)
#define SHIFT 7
#define GENERATIONS 8

#define STATE(w) ((w) & STATE_MASK)
#define GEN(w) ((w) >> SHIFT)
#define WITH_GEN(g, bits) ((((g) % GENERATIONS) << SHIFT) | (bits))

int word = WITH_GEN(GENERATIONS - 2, HALTED);
bool guest_waits, host_waits; /* asleep in the kernel on `word` */
byte spurious = SPURIOUS;

bool control; /* Vm::Impl::control */
bool closed, readers_open;
bool armed;
byte armed_freeze;
short armed_generation;
bool host_done, guest_gone;

#define REVOKED 128
byte lease = REVOKED; /* LeaseBook::word_ */
bool revoker_waits;

/* What only the properties look at. */
bool in_step;          /* the guest executes a step */
bool believes_halted;  /* from a host's sight of HALTED until a release was won */
byte held_by;          /* the freeze that believes it */
byte reading;          /* readers inside a chunk */
bool napping;          /* the guest sleeps of its own accord */
bool owed;             /* released or withdrawn, and the guest has not answered yet */
bool stopped;

inline Lock() { atomic { !control -> control = true } }
inline Unlock() { control = false }
inline WakeAll() { atomic { guest_waits = false; host_waits = false } }

/* ── Leases ── */

inline OpenForReaders() {
  if
  :: !readers_open -> atomic { assert(lease == REVOKED); readers_open = true; lease = 0 }
  :: else
  fi
}

inline Revoke(seen_lease) {
  atomic { readers_open = false; lease = lease | REVOKED; seen_lease = lease }
#ifndef BREAK_REVOKE_WITHOUT_WAITING
  do
  :: seen_lease == REVOKED -> break
  :: else ->
     atomic { if :: lease == seen_lease -> revoker_waits = true :: else fi }
     !revoker_waits;
     seen_lease = lease
  od
#endif
  seen_lease = 0
}

proctype Reader() {
  byte before;
  do
  :: atomic { lease < REVOKED -> lease++ }
     do
     :: atomic { reading++; assert(!in_step) }
        atomic { assert(!in_step); reading-- }
        if
        :: lease >= REVOKED -> break
        :: else /* the next chunk */
        fi
     :: break /* read all that it wanted */
     od;
     atomic { before = lease; lease-- }
#ifndef BREAK_DROP_FORGETS_WAKE
     if :: before == (REVOKED | 1) -> revoker_waits = false :: else fi;
#endif
     before = 0
  :: host_done -> break
  od
}

/* ── Host side ── */

inline BeginRelease(generation, freeze, won) {
  atomic {
    if
#ifdef BREAK_RELEASE_OF_ANY_GENERATION
    :: STATE(word) == HALTED ->
#else
    :: STATE(word) == HALTED && GEN(word) == generation ->
#endif
       word = (word & ~STATE_MASK) | RELEASING;
       assert(held_by == freeze); /* a late timer never releases what another holds */
       believes_halted = false; held_by = 0;
       won = true
    :: else -> won = false
    fi
  }
}

inline FinishRelease(asleep) {
  atomic {
    assert(STATE(word) == RELEASING);
    asleep = (word & GUEST_ASLEEP) != 0;
    word = WITH_GEN(GEN(word), RUNNING | (word & (IDLE | STOP)));
    owed = !napping && !guest_gone
  }
#ifndef BREAK_RELEASE_FORGETS_WAKE
  if :: asleep -> WakeAll() :: else fi;
#endif
  asleep = false
}

/* Vm::Impl::Release. */
inline Release(generation, freeze, flag, seen_lease) {
  BeginRelease(generation, freeze, flag);
  if
  :: flag ->
#ifndef BREAK_RELEASE_WITHOUT_REVOKE
     if :: readers_open -> Revoke(seen_lease) :: else fi;
#endif
     FinishRelease(flag)
  :: else
  fi
}

proctype Host() {
  byte n = 0;
  short generation;
  int seen;
  byte seen_lease;
  bool requested, halted, timed, flag;

  /* Vm::Create has opened the lease book. Vm::Start: */
  Lock();
  if :: !closed -> Release(GEN(word), 0, flag, seen_lease) :: else fi;
  Unlock();

  do
  :: n == FREEZES -> break
  :: n < FREEZES ->
     n++;
     if :: timed = true :: timed = false fi;
     Lock();
     if :: closed -> Unlock(); break :: else fi;

     /* Request */
     atomic {
       flag = false;
       if
       :: STATE(word) == HALTED ->
          generation = GEN(word); requested = false; halted = true
       :: else ->
          assert(STATE(word) == RUNNING); /* SS_CHECK */
          generation = (GEN(word) + 1) % GENERATIONS; requested = true;
          if
          :: word & IDLE ->
             flag = (word & HOST_ASLEEP) != 0;
             word = WITH_GEN(generation, HALTED | (word & (STOP | IDLE)));
             halted = true; owed = false
          :: else ->
             word = WITH_GEN(generation, REQUESTED | (word & (STOP | HOST_ASLEEP)));
             halted = false
          fi
       fi
     }
     if :: flag -> WakeAll() :: else fi;

     /* WaitHalted */
     do
     :: halted -> break
     :: else ->
        atomic {
          if
          :: STATE(word) == HALTED && GEN(word) == generation -> halted = true
          :: else ->
             word = word | HOST_ASLEEP; seen = word
          fi
        }
        if
        :: halted -> break
        :: else -> skip
        fi;
#ifdef BREAK_SLEEP_WITHOUT_COMPARE
        host_waits = true;
#else
        atomic { if :: word == seen -> host_waits = true :: else fi }
#endif
        if
        :: !host_waits
        :: atomic { host_waits && spurious > 0 -> spurious--; host_waits = false }
        :: atomic { host_waits && (timed || guest_gone) -> host_waits = false }
           atomic { halted = (STATE(word) == HALTED && GEN(word) == generation) }
           break
        fi
     od;
     seen = 0;

     /* Withdraw */
     if
     :: halted
     :: else ->
        atomic {
          if
#ifdef BREAK_WITHDRAW_WITHOUT_LOOKING
          :: true ->
#else
          :: GEN(word) == generation && STATE(word) == REQUESTED ->
#endif
             word = WITH_GEN(generation, RUNNING | (word & STOP));
             owed = !guest_gone
          :: else -> halted = true
          fi
        }
     fi;

     if
     :: !halted -> Unlock() /* withdrawn: the guest runs on */
     :: else ->
        atomic { assert(!in_step); believes_halted = true; held_by = n }
        OpenForReaders();
        if
        :: requested -> atomic { armed = true; armed_generation = generation; armed_freeze = n }
        :: requested /* Vm::Pause: no deadline */
        :: !requested /* left halted by the freeze; its user resumes it below */
        fi;
        Unlock();
        /* The caller's work, and its release, in a race with the deadline's. */
        atomic { if :: armed -> armed = false :: else fi } /* Disarm: too late where it has started */
        Lock();
        if
        :: requested -> Release(generation, n, flag, seen_lease)
        :: else -> if :: !closed -> Release(GEN(word), n, flag, seen_lease) :: else fi
        fi;
        Unlock()
     fi;
     if
     :: !owed || stopped /* the guest must answer before the next request … */
     :: true             /* … or is asked again at once */
     fi
  od;
  /* Whatever came last, the guest answers without help. */
  !owed || stopped;
  atomic { host_done = true; n = 0; generation = 0 }
}

proctype Timer() {
  short generation;
  byte freeze, seen_lease;
  bool flag;
  do
  :: atomic { armed -> armed = false; generation = armed_generation; freeze = armed_freeze }
     /* From here on it is late for as long as it likes. */
     Lock();
     Release(generation, freeze, flag, seen_lease);
     Unlock();
     generation = 0; freeze = 0
  :: host_done && !armed -> break
  od
}

proctype Stopper() {
  byte seen_lease;
  bool by_close;
  if
  :: host_done /* in these runs a stop helps nobody who sleeps */
  :: true
  fi;
  if
  :: true -> /* Vm::Close */
     Lock();
     by_close = true; closed = true;
     if :: readers_open -> Revoke(seen_lease) :: else fi
  :: true /* StopAllGuests, at exit, asks nobody */
  fi;
  atomic { word = word | STOP; stopped = true }
#ifndef BREAK_STOP_FORGETS_WAKE
  WakeAll();
#endif
  guest_gone;
  if :: by_close -> Unlock() :: else fi
}

/* ── Guest side ── */

inline FutexWaitGuest() {
#ifdef BREAK_SLEEP_WITHOUT_COMPARE
  guest_waits = true;
#else
  atomic { if :: word == seen -> guest_waits = true :: else fi }
#endif
  if
  :: !guest_waits
  :: atomic { guest_waits && spurious > 0 -> spurious--; guest_waits = false }
  fi
}

/* What the guest does here while a host believes it halted would be a violation; a look is none. */
inline SleepUntilReleased() {
  do
  :: atomic { word & STOP -> going_on = false; break }
  :: atomic { !(word & STOP) && !(word & STANDS_STILL) -> going_on = true; break }
  :: atomic {
       !(word & STOP) && (word & STANDS_STILL) ->
#ifndef BREAK_SLEEP_WITHOUT_ASLEEP_BIT
       word = word | GUEST_ASLEEP;
#endif
       seen = word
     }
     FutexWaitGuest();
     seen = 0
  od
}

inline Step() {
  atomic { assert(!believes_halted && reading == 0); in_step = true; owed = false }
  atomic { assert(!believes_halted && reading == 0); in_step = false }
}

proctype Guest() {
  int seen;
  bool going_on, timed, wake;
  byte self_halts = SELF_HALTS;

  SleepUntilReleased();
  if :: !going_on -> goto leave :: else fi;

main:
  if
  :: atomic { (word & ATTENTION) == 0 -> skip };
     if
     :: Step(); goto main                             /* RunChunks */
     :: goto enter_idle                               /* SleepFor */
     :: self_halts > 0 -> self_halts--; goto halt_self /* Done: the target, or a fault */
     fi
  :: atomic { (word & ATTENTION) != 0 -> skip };
     goto safepoint
  fi;

safepoint:
  if
  :: STATE(word) == REQUESTED ->
     /* Here the request may be withdrawn, and made again. Acknowledge: */
     atomic {
       if
       :: STATE(word) == REQUESTED ->
          wake = (word & HOST_ASLEEP) != 0;
          word = WITH_GEN(GEN(word), HALTED | (word & STOP));
          owed = false
       :: else -> goto main
       fi
     }
     goto halted
  :: STATE(word) != REQUESTED ->
     if
     :: word & STOP -> goto leave
     :: else -> goto main
     fi
  fi;

halt_self:
  atomic {
    if
    :: STATE(word) == RUNNING ->
       wake = (word & HOST_ASLEEP) != 0;
#ifdef BREAK_SELF_HALT_KEEPS_GENERATION
       word = WITH_GEN(GEN(word), HALTED | (word & STOP));
#else
       word = WITH_GEN(GEN(word) + 1, HALTED | (word & STOP));
#endif
       owed = false
    :: else -> goto main /* a request came first */
    fi
  }

halted:
#ifndef BREAK_HALT_FORGETS_WAKE
  if :: wake -> WakeAll() :: else fi;
#endif
  wake = false;
  SleepUntilReleased();
  if :: going_on -> goto main :: else -> goto leave fi;

enter_idle:
  atomic {
    if
#ifdef BREAK_ENTER_IDLE_WITHOUT_LOOKING
    :: !(word & STOP) -> word = word | IDLE
#else
    :: (word & ATTENTION) == 0 -> word = word | IDLE
#endif
    :: else -> goto safepoint
    fi
  }
sleep_idle:
  seen = word;
  if
  :: seen & (STOP | STANDS_STILL)
  :: else ->
     if :: timed = true :: timed = false fi;
     atomic { if :: word == seen -> guest_waits = true; napping = true; owed = false :: else fi }
     if
     :: atomic { !guest_waits -> napping = false }
     :: atomic { guest_waits && (timed || spurious > 0) ->
          if :: !timed -> spurious-- :: else fi;
          guest_waits = false; napping = false }
     fi
  fi;
  seen = 0; timed = false;
  SleepUntilReleased();
  if :: !going_on -> goto leave :: else fi;
  if
  :: goto sleep_idle /* time is left */
  :: true
  fi;
leave_idle:
  SleepUntilReleased();
  if :: !going_on -> goto leave :: else fi;
#ifdef BREAK_LEAVE_IDLE_BY_STORE
  seen = word;
  if
  :: !(seen & (STANDS_STILL | STOP)) -> word = seen & ~IDLE; goto main
  :: else -> goto leave_idle
  fi;
#else
  atomic {
    if
    :: !(word & (STANDS_STILL | STOP)) -> word = word & ~IDLE; goto main
    :: else -> goto leave_idle
    fi
  }
#endif

leave:
  atomic { owed = false; guest_gone = true; seen = 0 }
}

init {
  byte i;
  atomic {
    readers_open = true; lease = 0;
    run Guest(); run Host(); run Timer(); run Stopper();
    do
    :: i < READERS -> run Reader(); i++
    :: else -> break
    od
  }
}

#ifdef LTL_RUNS_AGAIN
ltl runs_again { [] (owed -> <> (!owed || stopped)) }
#endif
#ifdef LTL_ALL_ENDS /* nobody waits for ever while the others go round */
ltl all_ends { <> (host_done && guest_gone) }
#endif
#ifdef LTL_STOP_ENDS
ltl stop_ends { [] (stopped -> <> guest_gone) }
#endif
