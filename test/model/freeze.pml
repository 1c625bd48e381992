/* A freeze of two VMs (native/engine/freeze.cc) beside a second freeze, its deadline, a user who pauses
 * and resumes, and a reader. It is about what lies above the gate: the control mutexes, the holder,
 * giving back after a failed handshake, and the order in which leases are revoked and guests released.
 * The gate itself is in pause_gate.pml; here each of its transitions is one step.
 *
 * -DBREAK_<name> seeds a bug, which the checker must find.
 */
#define VMS 2
#define RUNNING 0
#define REQUESTED 1
#define HALTED 2
#define RELEASING 3
#ifndef PAUSES
#define PAUSES 1
#endif
#ifndef READS
#define READS 1
#endif

typedef Vm {
  byte state = RUNNING; /* the gate */
  byte generation;
  bool control;         /* mutex */
  byte holder;          /* the freeze that holds it, 0: none */
  bool readers_open;
  bool revoked = true;  /* the lease book */
  byte leases;
  /* for the properties */
  byte frozen;          /* the freeze that has it halted and has not let go */
  bool paused;          /* by its user, outside a freeze */
  bool reading;
}
Vm vm[VMS];

typedef Freeze {
  bool mutex;
  bool armed;
  byte generation[VMS];
  bool was_running[VMS];
}
Freeze freeze[3]; /* 1 and 2 */
byte busy = 3;    /* two freezes, one user */

inline Lock(v) { atomic { !vm[v].control -> vm[v].control = true } }
inline Unlock(v) { vm[v].control = false }
/* Asserted where a guest is let run; who believes it halted asserts that it is. */
inline MayRun(v) { assert(vm[v].frozen == 0 && !vm[v].paused && !vm[v].reading) }
#define STANDS_STILL(v) (vm[v].state == HALTED || vm[v].state == RELEASING)

inline Request(v, to_generation, to_was_running) {
  atomic {
    if
    :: vm[v].state == HALTED -> to_was_running = false
    :: else ->
       assert(vm[v].state == RUNNING); /* SS_CHECK */
       vm[v].generation++; vm[v].state = REQUESTED; to_was_running = true
    fi;
    to_generation = vm[v].generation
  }
}
inline Withdraw(v, of_generation, done) {
  atomic {
    done = (vm[v].state == REQUESTED && vm[v].generation == of_generation);
    if :: done -> vm[v].state = RUNNING :: else fi
  }
}
inline OpenForReaders(v) {
  atomic {
    if
    :: !vm[v].readers_open -> assert(vm[v].revoked && vm[v].leases == 0); vm[v].readers_open = true; vm[v].revoked = false
    :: else
    fi
  }
}
inline Revoke(v) {
  if
  :: vm[v].readers_open ->
     atomic { vm[v].readers_open = false; vm[v].revoked = true }
     vm[v].leases == 0
  :: else
  fi
}
/* Vm::Impl::Release */
inline Release(v, done) {
  atomic {
    done = vm[v].state == HALTED;
    if :: done -> vm[v].state = RELEASING :: else fi
  }
  if
  :: done -> Revoke(v); atomic { MayRun(v); vm[v].state = RUNNING }
  :: else
  fi
}

/* Freeze::GiveBack of one member, its control held. */
inline GiveBack(id, v, done) {
  if
  :: vm[v].holder == id -> atomic { vm[v].holder = 0; vm[v].frozen = 0 }
  :: else
  fi;
#ifndef BREAK_GIVE_BACK_NOTHING
  if
  :: freeze[id].was_running[v] ->
     Withdraw(v, freeze[id].generation[v], done);
     if :: !done -> Release(v, done) :: else fi
  :: else
  fi
#endif
}

/* Freeze::ReleaseBy, by the caller or the deadline. */
inline ReleaseBy(id, v, won) {
  atomic { !freeze[id].mutex -> freeze[id].mutex = true }
  v = 0;
  do
  :: v < VMS ->
     Lock(v);
     if
     :: vm[v].holder == id && freeze[id].was_running[v] -> Revoke(v)
     :: else
     fi;
     Unlock(v);
     v++
  :: else -> break
  od;
  v = 0;
  do
  :: v < VMS ->
     Lock(v);
     if
#ifdef BREAK_RELEASE_WITHOUT_HOLDER
     :: true ->
#else
     :: vm[v].holder == id ->
#endif
        atomic {
          vm[v].holder = 0;
          won = freeze[id].was_running[v] && vm[v].state == HALTED &&
                vm[v].generation == freeze[id].generation[v];
          if :: won -> vm[v].state = RELEASING :: else fi;
          if :: vm[v].frozen == id -> vm[v].frozen = 0 :: else fi
        }
        if
        :: won ->
#ifndef BREAK_RELEASE_REVOKES_ONLY_BEFORE
           Revoke(v); /* a Pause in between has opened it again */
#endif
           atomic { MayRun(v); vm[v].state = RUNNING }
        :: else
        fi
     :: else
     fi;
     Unlock(v);
     v++
  :: else -> break
  od;
  freeze[id].mutex = false
}

proctype Freezer(byte id) {
  byte i = 0, v;
  bool ok = true, flag;

  /* HaltAll: in address order */
#ifdef BREAK_LOCKS_IN_ANY_ORDER
#define LOCK_ORDER(k) (id == 1 -> (k) : VMS - 1 - (k))
#else
#define LOCK_ORDER(k) (k)
#endif
  do
  :: i < VMS && ok ->
     v = LOCK_ORDER(i);
     Lock(v);
     i++;
     ok = vm[v].holder == 0
  :: else -> break
  od;
  if
  :: !ok ->
     do
     :: i > 0 -> i--; v = LOCK_ORDER(i); Unlock(v)
     :: else -> break
     od;
     goto done
  :: else
  fi;
  v = 0;
  do
  :: v < VMS -> Request(v, freeze[id].generation[v], freeze[id].was_running[v]); v++
  :: else -> break
  od;
  v = 0;
  do
  :: v < VMS && vm[v].state == HALTED -> v++
  :: v < VMS && vm[v].state == REQUESTED -> ok = false; break /* timeout */
  :: v == VMS -> break
  od;
  if
  :: !ok ->
     v = 0;
#ifdef BREAK_GIVE_BACK_UNLOCKED
     do
     :: v < VMS -> Unlock(v); v++
     :: else -> break
     od;
     v = 0;
     do
     :: v < VMS -> Lock(v); GiveBack(id, v, flag); Unlock(v); v++
     :: else -> break
     od;
#else
     do
     :: v < VMS -> GiveBack(id, v, flag); Unlock(v); v++
     :: else -> break
     od;
#endif
     goto done
  :: else
  fi;
  v = 0;
  do
  :: v < VMS ->
     atomic { assert(vm[v].state == HALTED); vm[v].holder = id; vm[v].frozen = id }
     OpenForReaders(v);
     v++
  :: else -> break
  od;
  v = 0;
  do
  :: v < VMS -> Unlock(v); v++
  :: else -> break
  od;
  if
  :: freeze[id].armed = true;
     ReleaseBy(id, v, flag)
  :: true -> /* the machine refuses the timer */
     v = 0;
     do
     :: v < VMS -> Lock(v); GiveBack(id, v, flag); Unlock(v); v++
     :: else -> break
     od
  fi;
done:
  atomic { busy--; i = 0; v = 0; ok = false; flag = false }
}

proctype Deadline(byte id) {
  byte v;
  bool flag;
  if
  :: atomic { freeze[id].armed -> freeze[id].armed = false } ReleaseBy(id, v, flag)
  :: busy == 0
  fi
}

/* Of VM 0. */
proctype User() {
  byte n = 0, generation;
  bool was_running, withdrawn;
  do
  :: n < PAUSES ->
     n++;
     Lock(0);
     Request(0, generation, was_running);
     if
     :: vm[0].state == HALTED
     :: vm[0].state == REQUESTED -> Withdraw(0, generation, withdrawn) /* timeout */
     fi;
     if
     :: !withdrawn ->
        OpenForReaders(0);
        atomic {
          assert(vm[0].state == HALTED);
          if :: vm[0].holder == 0 -> vm[0].paused = true :: else fi
        }
     :: else
     fi;
     Unlock(0);
     withdrawn = false; generation = 0; was_running = false;
     Lock(0);
     if
     :: vm[0].holder == 0 -> vm[0].paused = false; Release(0, was_running)
     :: else /* ERR_BUSY */
     fi;
     Unlock(0)
  :: else -> break
  od;
  /* A pause that a freeze did not let it end. */
  do
  :: atomic { vm[0].paused && vm[0].holder == 0 && !vm[0].control -> vm[0].control = true }
     vm[0].paused = false; Release(0, was_running);
     Unlock(0)
  :: !vm[0].paused -> break
  od;
  atomic { busy--; n = 0; was_running = false }
}

/* Of VM 0. */
proctype Reader() {
  byte n = 0;
  bool held;
  do
  :: n < READS && !held ->
     atomic { held = !vm[0].revoked; if :: held -> vm[0].leases++ :: else fi }
     if
     :: !held -> /* a guest that halted of its own accord has opened nothing */
        Lock(0);
        if
        :: vm[0].state == HALTED -> OpenForReaders(0); atomic { vm[0].leases++; held = true }
        :: else
        fi;
        Unlock(0)
     :: else
     fi;
     n++
  :: held ->
     atomic { assert(STANDS_STILL(0)); vm[0].reading = true }
     atomic { assert(STANDS_STILL(0)); vm[0].reading = false }
     atomic { vm[0].leases--; held = false }
  :: n == READS && !held -> break
  od
}

proctype Guest(byte v) {
  do
  :: atomic { vm[v].state == REQUESTED -> vm[v].state = HALTED }
  :: busy == 0 -> break
  od;
  /* Whatever left the freezes, the guest runs again. */
  assert(vm[v].state == RUNNING)
}

init {
  atomic {
    run Guest(0); run Guest(1);
    run Freezer(1); run Freezer(2); run Deadline(1);
    run User(); run Reader()
  }
}
