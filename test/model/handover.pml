/* The hand-over (native/memory/handover.cc) with its users: the guest in both variants of its program,
 * copiers, a host that starts one live copy after another (Vm::LiveCopy), and one that pauses and
 * flips bits. docs/PAUSE_PROTOCOL.md explains it; scripts/check-models.mjs runs it.
 *
 * How the C++ is mapped:
 * - A page's content is the number of the copy during which it was last written. So the content that
 *   belongs into copy n is any number below n, and one write too early changes it.
 * - A page is copied in one step; `copying` stands from claim to publication, so a write beside the
 *   copy is caught too.
 * - The gate is one step a transition (pause_gate.pml has it in full). The guest's futex wait on a page
 *   has a timeout in the C++ and is a mere look here; AwaitFinished's has none, and a lost wake-up there
 *   is an invalid end state.
 * - Tags count to TAGS - 1 and begin again at 1, after clearing the words.
 * - Memory is sequentially consistent; release and acquire are ThreadSanitizer's to check.
 *
 * -DBREAK_<name> seeds a bug, which the checker must find.
 */
#ifndef PAGES
#define PAGES 2
#endif
#ifndef COPIES
#define COPIES 2
#endif
#ifndef COPIERS
#define COPIERS 1
#endif
#ifndef PAUSES
#define PAUSES 1
#endif
#ifndef RUNS
#define RUNS 2
#endif
#define TAGS 3

#define RUNNING 0
#define REQUESTED 1
#define HALTED 2

#define CLAIMED 1
#define CLAIMED_WITH_WAITER 2
#define SAVED 3
#define WORD(t, s) (((t) << 2) | (s))
#define TAG(w) ((w) >> 2)

byte gate = HALTED;
bool control; /* Vm::Impl::control */
bool copying_ram; /* Vm::Impl::copying */

/* Handover */
byte states[PAGES];
byte tag, unsaved;
bool use_handover;  /* GuestThread::window_.handover != nullptr */
bool finish_waits;  /* the host sleeps in AwaitFinished */
byte work, working; /* copiers that have yet to begin, and yet to end, their way through the pages */
bool stalled;       /* a copier may be preempted for as long as this lasts */

/* RAM, and what only the properties look at. */
byte ram[PAGES];
byte copy;          /* the number of the copy under way or last made, and of its epoch's map of marks */
byte saves[PAGES];  /* of this copy */
bool copying[PAGES];
bool mid_step;      /* GuestThread::mid_step_ */
bool plain;         /* the guest is inside the plain variant */
byte runs = RUNS;    /* of the guest, in this epoch; then it rests, so that whoever waits for ever shows */
byte busy = 2;       /* the two hosts */

inline Lock() { atomic { !control -> control = true } }
inline Unlock() { control = false }

inline TryClaim(p, won) {
#ifdef BREAK_CLAIM_BY_STORE
  won = TAG(states[p]) != tag;
  if :: won -> states[p] = WORD(tag, CLAIMED) :: else fi
#else
  atomic {
    won = TAG(states[p]) != tag;
    if :: won -> states[p] = WORD(tag, CLAIMED); copying[p] = true :: else fi
  }
#endif
}

inline SaveClaimed(p, last) {
#ifdef BREAK_PUBLISH_BEFORE_COPY
  atomic { copying[p] = false; states[p] = WORD(tag, SAVED) }
#endif
  /* memcpy */
  atomic {
    assert(ram[p] < copy); /* as at the epoch's end */
    saves[p]++;
    assert(saves[p] == 1)
  }
#ifndef BREAK_PUBLISH_BEFORE_COPY
  /* The wake of a guest that waits goes unmodelled: it only ends its nap sooner. */
  atomic {
    assert(TAG(states[p]) == tag);
    copying[p] = false; states[p] = WORD(tag, SAVED)
  }
#endif
  atomic { unsaved--; last = unsaved == 0 }
#ifndef BREAK_LAST_SAVE_FORGETS_WAKE
  if :: last -> finish_waits = false :: else fi;
#endif
  last = false
}

proctype Copier() {
  byte p;
  bool flag;
  do
  :: atomic { work > 0 -> work-- }
     p = 0;
     do
     :: p < PAGES ->
        TryClaim(p, flag);
        if
        :: flag -> !stalled; SaveClaimed(p, flag)
        :: else
        fi;
        p++
     :: else -> break
     od;
     atomic { p = 0; working-- }
  :: busy == 0 && work == 0 -> break
  od
}

inline Halt(was_running) {
  atomic {
    if
    :: gate == HALTED -> was_running = false
    :: else -> assert(gate == RUNNING); gate = REQUESTED; was_running = true
    fi
  }
  gate == HALTED
}

/* Vm::LiveCopy, COPIES times. */
proctype Host() {
  byte n = 0, seen, p;
  bool was_running;
  Lock(); gate = RUNNING; Unlock(); /* Vm::Start */
  do
  :: n < COPIES ->
     Lock();
     Halt(was_running);
     if
#ifndef BREAK_COPY_BEGINS_MID_STEP
     :: mid_step -> /* kBusy; the caller tries again */
        if :: was_running -> gate = RUNNING :: else fi;
        Unlock();
        !mid_step
#endif
     :: else ->
        n++;
        atomic { /* EndEpochHalted, Begin, UseHandover: the guest stands still, no copier runs */
          assert(!mid_step); /* an epoch ends with the guest at a safepoint */
          assert(unsaved == 0 && working == 0); /* SS_CHECK(Finished()) */
          copy++;
#ifndef BREAK_TAG_STAYS
          tag = (tag + 1) % TAGS;
#else
          if :: tag == 0 -> tag = 1 :: else fi;
#endif
          p = 0;
          do
          :: p < PAGES ->
             saves[p] = 0;
             if :: tag == 0 -> states[p] = 0 :: else fi;
             p++
          :: else -> break
          od;
          if :: tag == 0 -> tag = 1 :: else fi;
          p = 0;
          unsaved = PAGES;
          runs = RUNS;
          use_handover = true;
          copying_ram = true
        }
        if :: was_running -> gate = RUNNING :: else fi;
        Unlock();
        atomic { work = COPIERS; working = COPIERS }
        /* AwaitFinished */
        do
        :: seen = unsaved;
           if
           :: seen == 0 -> break
           :: else ->
              atomic { if :: unsaved == seen -> finish_waits = true :: else fi; seen = 0 }
              !finish_waits
           fi
        od;
        working == 0; /* whoever starts helpers waits for them */
        atomic {
          do
          :: p < PAGES -> assert(saves[p] == 1); p++
          :: else -> p = 0; break
          od
        }
        Lock();
        copying_ram = false;
        Unlock()
     fi
  :: else -> break
  od;
  atomic { n = 0; busy-- }
}

/* Vm::Pause while the copier may be stalled, Vm::FlipBit, Vm::Resume. */
proctype Pauser() {
  byte n = 0;
  bool was_running, with_stall;
  do
  :: n < PAUSES ->
     n++;
     Lock();
     if :: with_stall = true :: with_stall = false fi;
     stalled = with_stall;
     if
     :: Halt(was_running) /* a guest that waits for a copier answers */
     :: atomic { gate == RUNNING -> gate = REQUESTED; was_running = true }
        atomic { if :: gate == REQUESTED -> gate = RUNNING :: else fi } /* timeout, Withdraw */
     fi;
     if
#ifndef BREAK_FLIP_DURING_COPY
     :: gate == HALTED && !copying_ram ->
#else
     :: gate == HALTED ->
#endif
        ram[PAGES - 1] = copy
     :: true
     fi;
     Unlock();
     atomic { stalled = false; with_stall = false; was_running = false }
     Lock();
     if :: gate == HALTED -> gate = RUNNING :: else fi;
     Unlock()
  :: else -> break
  od;
  atomic { n = 0; with_stall = false; was_running = false; busy-- }
}

inline Write(p) {
  atomic {
    assert(gate != HALTED);
    assert(my_epoch == copy);                       /* marked in the map of the epoch under way */
    assert(!copying[p]);                            /* not beside a copier */
    assert(copy == 0 || saves[p] == 1);             /* never an unsaved page, in either variant */
    ram[p] = copy
  }
}

proctype Guest() {
  byte p, my_epoch;
  bool flag, again;

main: /* a safepoint */
  atomic { p = 0; my_epoch = 0; flag = false; plain = false; again = true }
  if
  :: atomic { gate == REQUESTED -> gate = HALTED } gate != HALTED; goto main
  :: atomic { gate == RUNNING && runs > 0 -> runs-- }
  :: busy == 0 && gate == RUNNING -> goto leave
  fi;
#ifdef BREAK_SWITCH_BACK_EARLY
  if :: use_handover && unsaved <= 1 -> use_handover = false :: else fi;
#else
  if :: use_handover && unsaved == 0 -> use_handover = false :: else fi;
#endif
  my_epoch = copy; /* base pointers are loaded on entry */
  plain = !use_handover;

step: /* a request from here on waits for the safepoint, after at most two writes */
  if
  :: p = 0
  :: p = 1
#if PAGES > 2
  :: p = 2
#endif
  fi;
  if
  :: plain -> goto write
  :: else
  fi;

  /* The mark is set here; then BeforeWrite: */
#ifdef BREAK_WRITE_BEFORE_CLAIM
  atomic { ram[p] = copy }
#endif
  if
  :: states[p] == WORD(tag, SAVED) -> goto write
  :: else
  fi;
  TryClaim(p, flag);
  if
  :: flag -> SaveClaimed(p, flag); goto write
  :: else
  fi;
wait:
  if
  :: states[p] == WORD(tag, SAVED) -> goto write
  :: else
  fi;
#ifndef BREAK_WAIT_FORGETS_GATE
  /* PollWhileWaiting */
  if
  :: gate != RUNNING ->
     atomic {
       if
       :: gate == REQUESTED -> mid_step = true; gate = HALTED
       :: else -> skip /* withdrawn */
       fi
     }
     gate != HALTED;
     mid_step = false
  :: else
  fi;
#endif
  /* Marks that it waits, and naps. */
  atomic {
    if
    :: states[p] == WORD(tag, CLAIMED) -> states[p] = WORD(tag, CLAIMED_WITH_WAITER)
    :: else
    fi
  }
#ifndef BREAK_WAIT_FORGETS_GATE
  states[p] != WORD(tag, CLAIMED_WITH_WAITER) || gate != RUNNING;
#else
  states[p] != WORD(tag, CLAIMED_WITH_WAITER);
#endif
  goto wait;
write:
  Write(p);
  if
  :: again -> again = false; goto step
  :: goto main
  fi;
leave:
  skip
}

init {
  byte i;
  atomic {
    run Guest(); run Host(); run Pauser();
    do
    :: i < COPIERS -> run Copier(); i++
    :: else -> break
    od
  }
}
