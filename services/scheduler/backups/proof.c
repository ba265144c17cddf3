#include "scheduler/backups/proof.h"

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "scheduler/run/run.h"
#include "scheduler/tables/audit_chain.h"
#include "scheduler/tables/definitions.h"
#include "scheduler/tables/record.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/run_wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    ROW_ARENA_MAX = 64 << 20,  /* bytes, of one run's rows */
    STATE_MAX     = 256 << 20, /* bytes, of one run's state */
    FAULT_MAX     = 512,       /* bytes */
};

struct prover {
    struct txn *txn;
    struct definitions *definitions;
    struct arena *arena; /* of the row at hand */
    proof_listener *on_fault;
    void *context;
    struct proof proof;
};

PRINTF_LIKE(2, 3)
static void fault(struct prover *prover, const char *format, ...)
{
    char text[FAULT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    prover->proof.faults++;
    if (prover->on_fault) prover->on_fault(text, prover->context);
}

/* --- a run -------------------------------------------------------------------------------------
 */

struct history {
    struct prover *prover;
    const char *run;
    uint64_t sequence; /* of the last event seen */
    bool is_over;      /* it has ended and was not opened again */
    bool is_told;      /* one fault of a kind is enough for a run */
};

static bool is_end(enum event_kind kind)
{
    return kind == EVENT_RUN_COMPLETED || kind == EVENT_RUN_FAULTED ||
           kind == EVENT_RUN_CANCELLED || kind == EVENT_RUN_TERMINATED;
}

static void see_event(const struct run *, const struct event *event, void *context)
{
    struct history *history = context;
    history->prover->proof.events++;
    if (event->sequence != history->sequence + 1 && !history->is_told) {
        fault(history->prover, "run %s: event %" PRIu64 " follows event %" PRIu64, history->run,
              event->sequence, history->sequence);
        history->is_told = true;
    }
    bool may_follow = event->kind == EVENT_RUN_RETRIED || event->kind == EVENT_RUN_CHARGED;
    if (history->is_over && !may_follow && !history->is_told) {
        fault(history->prover, "run %s: event %" PRIu64 " (%s) comes after its end", history->run,
              event->sequence, event_type(event->kind));
        history->is_told = true;
    }
    history->sequence = event->sequence;
    if (event->kind != EVENT_RUN_CHARGED) history->is_over = is_end(event->kind);
}

static bool load(struct prover *prover, const char *id, const Pb__RunHead *head,
                 const Pb__RunView *row, bool from_start, const struct run_visit *visit,
                 struct run **ret_run)
{
    struct error error = {};
    bytes digest       = {row->digest.data, row->digest.len};
    status loaded      = run_load(prover->txn, prover->definitions, str_from(id), head, digest,
                                  from_start, visit, ret_run, &error);
    if (loaded == STATUS_OK) return true;
    fault(prover, "run %s: cannot be rebuilt from %s: %s", id,
          from_start ? "its journal" : "its snapshot", error.text);
    return false;
}

/* The journal alone, and snapshot with tail, must give the same state. */
static void compare_states(struct prover *prover, const char *id, struct run *folded,
                           const Pb__RunHead *head, const Pb__RunView *row)
{
    CLEANUP(run_freep) struct run *stored = NULL;
    CLEANUP(buf_done) struct buf a        = buf_init(STATE_MAX);
    CLEANUP(buf_done) struct buf b        = buf_init(STATE_MAX);
    if (!load(prover, id, head, row, false, NULL, &stored)) return;
    bool is_packed = run_snapshot_pack_inline(folded, &a, NULL) == STATUS_OK &&
                     run_snapshot_pack_inline(stored, &b, NULL) == STATUS_OK;
    if (!is_packed) {
        fault(prover, "run %s: its state is too large to compare", id);
    } else if (!str_equal(buf_str(&a), buf_str(&b))) {
        fault(prover, "run %s: its journal and its snapshot tell different states", id);
    }
}

static void compare_head(struct prover *prover, const char *id, const struct run *run,
                         const Pb__RunHead *head, const Pb__RunView *row)
{
    if (head->last_sequence != run_sequence(run)) {
        fault(prover, "run %s: its head says %" PRIu64 " events, its journal has %" PRIu64, id,
              head->last_sequence, run_sequence(run));
    }
    bool is_final = run_status_is_final(run_status(run));
    if (is_final != run_status_wire_is_final((Pb__RunStatus)head->status) ||
        is_final != run_status_wire_is_final(row->status)) {
        fault(prover, "run %s: journal, head and row do not agree whether it has ended", id);
    }
    if (head->jobs_open != run_jobs_open(run)) {
        fault(prover, "run %s: its head says %u open jobs, its state has %u", id, head->jobs_open,
              run_jobs_open(run));
    }
}

static bool has_row(struct prover *prover, enum table table, const struct key *key)
{
    bytes value = {};
    return txn_get(prover->txn, table, key_bytes(key), &value, NULL) == STATUS_OK;
}

static void prove_run(struct prover *prover, const char *id)
{
    Pb__RunHead *head  = NULL;
    Pb__RunView *row   = NULL;
    struct error error = {};
    prover->proof.runs++;
    if (run_rows_get(prover->txn, str_from(id), prover->arena, &row, &head, &error) != STATUS_OK) {
        fault(prover, "run %s: %s", id, error.text);
        return;
    }
    if (head->is_parked) return; /* it crashed the engine; that it is set aside is all that holds */

    struct history history             = {.prover = prover, .run = id};
    const struct run_visit visit       = {.visit = see_event, .context = &history};
    CLEANUP(run_freep) struct run *run = NULL;
    if (!load(prover, id, head, row, true, &visit, &run)) return;
    compare_head(prover, id, run, head, row);
    if (head->snapshot_entry > 0) compare_states(prover, id, run, head, row);
    if (head->due_us == 0) return;
    struct key key;
    timer_key(&key, head->due_us, str_from(id));
    if (!has_row(prover, TABLE_TIMERS, &key)) {
        fault(prover, "run %s: the timer it waits for is not there", id);
    }
}

/* --- tables ------------------------------------------------------------------------------------
 */

/* Calls `prove` for each row, with an empty arena. */
static status each_row(struct prover *prover, enum table table,
                       void (*prove)(struct prover *prover, bytes key, bytes value),
                       struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    TRY(cursor_open(prover->txn, table, &all, &cursor, reterr));
    bytes key   = {};
    bytes value = {};
    status next = STATUS_OK;
    while ((next = cursor_next(cursor, &key, &value, reterr)) == STATUS_OK) {
        arena_clear(prover->arena);
        prove(prover, key, value);
    }
    return next == STATUS_NOT_FOUND ? STATUS_OK : next;
}

static bool read_id(struct prover *prover, bytes key, struct id *ret_id)
{
    if (key.len != ID_BYTES) {
        fault(prover, "a row of a run has a key that is no id");
        return false;
    }
    *ret_id = id_unpack(key.ptr);
    return true;
}

static void prove_row(struct prover *prover, bytes key, bytes)
{
    struct id id = {};
    if (read_id(prover, key, &id)) prove_run(prover, id.text);
}

/* A run that has not ended has its head in a table of its own. */
static void prove_head(struct prover *prover, bytes key, bytes)
{
    struct id id     = {};
    Pb__RunView *row = NULL;
    if (!read_id(prover, key, &id)) return;
    status got = run_row_get(prover->txn, str_from(id.text), prover->arena, &row, NULL);
    if (got != STATUS_OK) fault(prover, "run %s has a head and no row", id.text);
}

static void prove_place(struct prover *prover, bytes, bytes value)
{
    Pb__ReadyRecord *place = NULL;
    prover->proof.jobs++;
    if (record_read(value, &pb__ready_record__descriptor, prover->arena, &place, NULL) !=
        STATUS_OK) {
        fault(prover, "a place of a queue cannot be read");
        return;
    }
    struct key key;
    id_key(&key, str_from(place->job));
    if (!has_row(prover, TABLE_JOBS, &key)) {
        fault(prover, "job %s stands in a queue and is not there", place->job);
    }
}

static void prove_timer(struct prover *prover, bytes raw, bytes)
{
    int64_t due_us    = 0;
    struct id id      = {};
    Pb__RunHead *head = NULL;
    prover->proof.timers++;
    if (!timer_key_read(raw, &due_us, &id)) {
        fault(prover, "a timer cannot be read");
        return;
    }
    Pb__RunView *row = NULL;
    status got = run_rows_get(prover->txn, str_from(id.text), prover->arena, &row, &head, NULL);
    if (got != STATUS_OK || head->due_us != due_us) {
        fault(prover, "a timer wakes run %s, which does not wait for it", id.text);
    }
}

/* Which of them is wrong is said of the first one; behind it nothing can be said. */
static status prove_audit(struct prover *prover, struct error *reterr)
{
    struct audit_check check = {};
    TRY(audit_verify(prover->txn, 0, 0, SIZE_MAX, &check, reterr));
    if (check.bad > 0) {
        fault(prover, "record %" PRIu64 " of the audit log: %s", check.bad, check.why);
    }
    return STATUS_OK;
}

status proof_of_store(struct store *store, proof_listener *on_fault, void *context,
                      struct proof *ret_proof, struct error *reterr)
{
    CLEANUP(definitions_freep) struct definitions *definitions = definitions_new();
    CLEANUP(arena_freep) struct arena *arena                   = arena_new(ROW_ARENA_MAX);
    CLEANUP(txn_abortp) struct txn *txn                        = NULL;
    TRY(txn_begin_read(store, &txn, reterr));
    struct prover prover = {.txn         = txn,
                            .definitions = definitions,
                            .arena       = arena,
                            .on_fault    = on_fault,
                            .context     = context};
    TRY(each_row(&prover, TABLE_RUNS, prove_row, reterr));
    TRY(each_row(&prover, TABLE_RUN_HEADS, prove_head, reterr));
    TRY(each_row(&prover, TABLE_READY, prove_place, reterr));
    TRY(each_row(&prover, TABLE_TIMERS, prove_timer, reterr));
    TRY(prove_audit(&prover, reterr));
    *ret_proof = prover.proof;
    return STATUS_OK;
}
