/*
 * Leases, fences and completions: one partition of a scheduler, its jobs, and workers that lease
 * them over a network that loses, repeats and overtakes. `spin` searches all that can happen, by
 * lease.sh; docs/internals/lease-model.md says which code each part stands for.
 *
 * There is no time: a lease may end at any moment, so a worker may be slow at any moment. How much
 * goes wrong is bounded by the numbers below; what, when and in which order is not.
 *
 * -DDEFECT_... plants a mistake, and the search must find fault.
 */
#define WORKERS 2
#ifndef JOBS
#define JOBS 1
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2 /* of a job: then it faults */
#endif
#ifndef FAULTS
#define FAULTS 2 /* crashes of the scheduler, messages lost or repeated, workers that die with a job: together */
#endif
#define LEASES (ATTEMPTS + FAULTS) /* of a job: one for each attempt, and one more after a crash */
#define CALLS 8 /* numbers of a worker's calls go round; so many are never under way */

mtype:place = { READY, LEASED, COMPLETED, FAULTED };
mtype:message = { POLL, BEAT, COMPLETE, FAIL, GIVEN, TAKEN, LOST };

typedef row {
    mtype:place place;
    byte number; /* of its newest lease; 0: none yet */
    byte attempts; /* that are used up */
    bool is_unclaimed; /* leased before a restart, and its holder has not come back; in memory */
    bool is_counted[LEASES + 1]; /* what only the properties know: this lease has used up an attempt; */
    byte completions; /* that were accepted */
};
row memory[JOBS]; /* what the engine knows */
row disk[JOBS]; /* what is committed */
bool is_changed, is_committed; /* the turn at hand has something to commit; is durable */

typedef answer {
    mtype:message kind; /* 0: none is due */
    byte call, target, number;
};
answer due[WORKERS]; /* when the turn is committed */

/* Kind, number of the call, job, number of the lease. */
chan request[WORKERS] = [2] of { mtype:message, byte, byte, byte };
chan reply[WORKERS] = [2] of { mtype:message, byte, byte, byte };

byte faults = FAULTS;

typedef book {
    byte holder[LEASES + 1]; /* likewise: who was given each lease, from 1 */
};
book books[JOBS];

/* No room is a loss, too: nobody waits for the network. */
inline send(channel, kind_, call_, job_, number_)
{
    if
    :: full(channel)
    :: nfull(channel) -> channel!kind_, call_, job_, number_
    :: nfull(channel) && faults > 0 -> faults--
    :: nfull(channel) && faults > 0 ->
        faults--;
        channel!kind_, call_, job_, number_;
        if
        :: full(channel)
        :: nfull(channel) -> channel!kind_, call_, job_, number_
        fi
    fi
}

/* --- the engine: one thread, in turns ----------------------------------------------------------
 */

inline answer_later(w, kind_, call_, job_, number_)
{
    due[w].kind = kind_;
    due[w].call = call_;
    due[w].target = job_;
    due[w].number = number_;
    is_changed = true
}

/* An attempt ends without a completion. */
inline use_up(j)
{
    assert(!memory[j].is_counted[memory[j].number]); /* P3: a lease costs one attempt at most */
    memory[j].is_counted[memory[j].number] = true;
    memory[j].attempts++;
    if
    :: memory[j].attempts >= ATTEMPTS -> memory[j].place = FAULTED
    :: else -> memory[j].place = READY
    fi
}

/* A poll waits until a job is ready. */
inline take_poll(w, call_)
{
    j = 0;
    do
    :: memory[j].place != READY -> j++
    :: else -> break
    od;
    memory[j].place = LEASED;
    memory[j].number++;
    memory[j].is_unclaimed = false;
#ifdef DEFECT_LEASE_BEFORE_COMMIT
    is_changed = true;
    send(reply[w], GIVEN, call_, j, memory[j].number)
#else
    answer_later(w, GIVEN, call_, j, memory[j].number)
#endif
}

inline take_beat(j, n)
{
    if
    :: memory[j].place == LEASED && memory[j].number == n -> memory[j].is_unclaimed = false
    :: else
    fi
}

#ifdef DEFECT_COMPLETED_AGAIN
#define IS_OPEN(j) (memory[j].place != FAULTED)
#else
#define IS_OPEN(j) (memory[j].place == READY || memory[j].place == LEASED)
#endif
#ifdef DEFECT_NO_FENCE
#define IS_NEWEST(j, n) (memory[j].number > 0)
#else
#define IS_NEWEST(j, n) (memory[j].number == n)
#endif
/* What has failed after its lease was over has been counted already; a completion is welcome. */
#ifdef DEFECT_FAILURE_AFTER_LEASE
#define IS_WELCOME(j, kind) true
#else
#define IS_WELCOME(j, kind) (kind == COMPLETE || memory[j].place == LEASED)
#endif

inline take_report(w, kind_, call_, j, n)
{
    if
    :: IS_OPEN(j) && IS_NEWEST(j, n) && IS_WELCOME(j, kind_) ->
        assert(memory[j].number == n); /* P2: no lease but the newest is accepted */
        if
        :: kind_ == COMPLETE -> memory[j].place = COMPLETED; memory[j].completions++
        :: else -> use_up(j)
        fi;
#ifdef DEFECT_ANSWER_BEFORE_COMMIT
        is_changed = true;
        send(reply[w], TAKEN, call_, j, n)
#else
        answer_later(w, TAKEN, call_, j, n)
#endif
    :: else -> answer_later(w, LOST, call_, j, n)
    fi
}

inline take(w, kind_)
{
    request[w]??eval(kind_), call, job_, number;
    if
    :: kind_ == POLL -> take_poll(w, call)
    :: kind_ == BEAT -> take_beat(job_, number)
    :: else -> take_report(w, kind_, call, job_, number)
    fi;
    call = 0; job_ = 0; number = 0; j = 0
}

inline copy_job(to, from)
{
    to.place = from.place;
    to.number = from.number;
    to.attempts = from.attempts;
    to.completions = from.completions;
    n = 0;
    do
    :: n <= LEASES -> to.is_counted[n] = from.is_counted[n]; n++
    :: else -> break
    od;
    n = 0
}

#define HAS_ENDED(job_) (job_.place == COMPLETED || job_.place == FAULTED)

inline commit()
{
    j = 0;
    do
    :: j < JOBS ->
        assert(memory[j].completions <= 1); /* P1: no job is completed twice */
        assert(!HAS_ENDED(disk[j]) || disk[j].place == memory[j].place); /* P1: an end is an end */
        copy_job(disk[j], memory[j]);
        j++
    :: else -> break
    od;
    j = 0;
    is_changed = false;
    is_committed = true
}

inline forget_answer(w)
{
    due[w].kind = 0;
    due[w].call = 0;
    due[w].target = 0;
    due[w].number = 0
}

inline answer_all()
{
    j = 0;
    do
    :: j < WORKERS && due[j].kind != 0 ->
        send(reply[j], due[j].kind, due[j].call, due[j].target, due[j].number);
        forget_answer(j);
        j++
    :: j < WORKERS && due[j].kind == 0 -> j++
    :: else -> break
    od;
    j = 0;
    is_committed = false
}

/* What is not on disk is gone, and all answers; a leased job keeps its lease for its holder. */
inline crash()
{
    faults--;
    j = 0;
    do
    :: j < JOBS ->
        copy_job(memory[j], disk[j]);
        memory[j].is_unclaimed = memory[j].place == LEASED;
#ifdef DEFECT_LEASE_FORGOTTEN
        if
        :: memory[j].place == LEASED -> memory[j].place = READY; memory[j].number--
        :: else
        fi;
        memory[j].is_unclaimed = false;
#endif
        j++
    :: else -> break
    od;
    j = 0;
    do
    :: j < WORKERS -> forget_answer(j); j++
    :: else -> break
    od;
    j = 0;
    is_changed = false;
    is_committed = false
}

#if JOBS == 1
#define IS_ANY_READY (memory[0].place == READY)
#else
#define IS_ANY_READY (memory[0].place == READY || memory[1].place == READY)
#endif
#define CAN_TAKE(w, kind_) (!is_committed && due[w].kind == 0 && request[w]??[kind_, _, _, _])

/* Several requests may go into one turn, and the commit is one for all of them. */
proctype engine()
{
    byte call, job_, number, j, n;
end:
    do
    :: atomic { CAN_TAKE(0, POLL) && IS_ANY_READY -> take(0, POLL) }
    :: atomic { CAN_TAKE(1, POLL) && IS_ANY_READY -> take(1, POLL) }
    :: atomic { CAN_TAKE(0, COMPLETE) -> take(0, COMPLETE) }
    :: atomic { CAN_TAKE(1, COMPLETE) -> take(1, COMPLETE) }
    :: atomic { CAN_TAKE(0, FAIL) -> take(0, FAIL) }
    :: atomic { CAN_TAKE(1, FAIL) -> take(1, FAIL) }
    :: atomic { CAN_TAKE(0, BEAT) -> take(0, BEAT) }
    :: atomic { CAN_TAKE(1, BEAT) -> take(1, BEAT) }
    :: atomic { !is_committed && is_changed -> commit() }
    :: atomic { is_committed -> answer_all() }
    :: atomic { faults > 0 -> crash() }
    od
}

/* The engine's clock: a lease is over. One that nobody has claimed since a restart costs nothing. */
proctype clock(byte j)
{
end:
    do
#ifndef DEFECT_NO_EXPIRY
    :: atomic {
           !is_committed && memory[j].place == LEASED ->
           if
           :: memory[j].is_unclaimed -> memory[j].is_unclaimed = false; memory[j].place = READY
           :: else -> use_up(j)
           fi;
           is_changed = true
       }
#else
    :: false
#endif
    od
}

/* --- a worker ----------------------------------------------------------------------------------
 */

#define IS_AWAY(w) (len(request[w]) + len(reply[w]) == 0 && due[w].kind == 0)

/* A new call; earlier ones are told apart from it as long as something of them is under way. */
inline call_anew()
{
    call = (IS_AWAY(w) -> 0 : (call + 1) % CALLS)
}

/* Asks until it is answered; an answer to an earlier call is none. */
inline ask(kind_)
{
    do
    :: atomic { reply[w]?answered, on, got, got_number ->
           if
           :: on == call -> on = 0; break
           :: else -> answered = 0; on = 0; got = 0; got_number = 0
           fi }
    :: atomic { IS_AWAY(w) -> send(request[w], kind_, call, held, number) }
    od
}

proctype worker(byte w)
{
    mtype:message answered, said;
    byte call, on, held, number, got, got_number;
idle:
    atomic { held = 0; number = 0; said = 0; answered = 0; got = 0; got_number = 0; call_anew() }
    ask(POLL);
    atomic {
        held = got;
        number = got_number;
        /* P4: a lease is one worker's */
        assert(books[held].holder[number] == 0 || books[held].holder[number] == w + 1);
        books[held].holder[number] = w + 1;
        answered = 0; got = 0; got_number = 0
    }
    do
    :: atomic { said == 0 -> send(request[w], BEAT, CALLS, held, number); said = BEAT }
    :: atomic { faults > 0 -> faults--; goto idle }
    :: atomic { said = COMPLETE; call_anew(); break }
    :: atomic { said = FAIL; call_anew(); break }
    od;
    ask(said);
    /* P5: what was acknowledged is durable */
    assert(answered != TAKEN || said != COMPLETE || disk[held].place == COMPLETED);
    goto idle
}

init
{
    byte i;
    atomic {
        do
        :: i < JOBS -> memory[i].place = READY; disk[i].place = READY; run clock(i); i++
        :: else -> break
        od;
        run engine();
        run worker(0);
        run worker(1)
    }
}

/* P6: no job is lost. */
#if JOBS == 1
ltl every_job_ends { <> HAS_ENDED(disk[0]) }
#else
ltl every_job_ends { <> (HAS_ENDED(disk[0]) && HAS_ENDED(disk[1])) }
#endif
