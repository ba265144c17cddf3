#include "check.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/backups/proof.h"
#include "scheduler/engine/engine_internal.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    CHILDREN_FREE_MAX = 50,
    SNAPSHOT_MAX      = 64 << 20,
    ARENA_MAX         = 64 << 20,
    PAGE_ROWS         = 100'000,
    SIGNALS_MAX       = 100'000
};

/* A partition as it is after a commit. */
struct inspection {
    struct sim *sim;
    struct census *census;
    uint16_t partition;
    struct txn *txn;
    struct arena *arena;
    bool is_final;
    uint64_t entry;
    size_t open, jobs, timers; /* rows that there must be */
    size_t rows;               /* of the table that is looked at */
};

/* --- one run ------------------------------------------------------------------------------------
 */

const struct plan *plan_of(const struct sim *sim, const char *run)
{
    for (size_t i = 0; i < sim->plan_count; i++) {
        if (strcmp(sim->plans[i].run.text, run) == 0) return &sim->plans[i];
    }
    return NULL;
}

static void check_same(struct sim *sim, struct run *a, struct run *b, const char *what)
{
    CLEANUP(buf_done) struct buf left  = buf_init(SNAPSHOT_MAX);
    CLEANUP(buf_done) struct buf right = buf_init(SNAPSHOT_MAX);
    struct error error                 = {};
    if (run_snapshot_pack_inline(a, &left, &error) != STATUS_OK ||
        run_snapshot_pack_inline(b, &right, &error) != STATUS_OK) {
        sim_fail(sim, "I3: run %s: no snapshot: %s", run_id(a), error.text);
        return;
    }
    bool is_same = str_equal(buf_str(&left), buf_str(&right)) && run_status(a) == run_status(b) &&
                   run_next_due(a) == run_next_due(b) && run_has_more(a) == run_has_more(b);
    if (!is_same) sim_fail(sim, "I3: run %s: the journal and %s are two states", run_id(a), what);
}

/* The head says in a few words what the state says. */
static void check_head(struct inspection *look, const struct run *run, const Pb__RunHead *head)
{
    bool is_same = head->last_sequence == run_sequence(run) &&
                   head->status == (uint32_t)run_status_wire(run_status(run)) &&
                   head->jobs_open == run_jobs_open(run);
    if (!is_same) sim_fail(look->sim, "I3: run %s: its head is of another state", run_id(run));

    bool is_final = run_status_is_final(run_status(run));
    bool is_due   = !is_final && (run_has_more(run) || run_next_due(run) != NO_DUE_US);
    if (is_due != (head->due_us > 0)) {
        sim_fail(look->sim, "I7: run %s: %s", run_id(run),
                 is_due ? "it waits for a time, and no timer is set" : "a timer without a wait");
    }
    look->timers += head->due_us > 0;
    look->jobs += run_jobs_open(run);
}

/* Its timer and its jobs are in their tables. */
static void check_rows(struct inspection *look, const struct run *run, const Pb__RunHead *head)
{
    struct key key;
    bytes row = {};
    if (head->due_us > 0) {
        timer_key(&key, head->due_us, str_from(run_id(run)));
        if (txn_get(look->txn, TABLE_TIMERS, key_bytes(&key), &row, NULL) != STATUS_OK) {
            sim_fail(look->sim, "I7: run %s: its timer is not in the table", run_id(run));
        }
    }
    struct run_wait waits[64];
    size_t count = run_waits(run, waits, ARRAY_LEN(waits));
    for (size_t i = 0; i < count; i++) {
        if (waits[i].kind != WAIT_JOB) continue;
        id_key(&key, waits[i].id);
        if (txn_get(look->txn, TABLE_JOBS, key_bytes(&key), &row, NULL) != STATUS_OK) {
            sim_fail(look->sim, "I11: run %s: its job " STR_FMT " is not in the table", run_id(run),
                     STR_ARG(waits[i].id));
        }
    }
}

static void check_output(struct sim *sim, const struct plan *plan, const struct run *run)
{
    int64_t n      = -1;
    bool is_ok     = json_to_int(json_get_text(run_output(run), "n"), &n);
    int64_t wanted = plan->result.n;
    if (plan->result.is_error) {
        sim_fail(sim, "run %s (%s) completed, %s was to come", run_id(run), plan->client_id,
                 plan->result.error);
    } else if (!is_ok || n != wanted) {
        sim_fail(sim, "run %s (%s) gave %" PRId64 ", %" PRId64 " was to come", run_id(run),
                 plan->client_id, n, wanted);
    }
}

static void check_error(struct sim *sim, const struct plan *plan, const struct run *run)
{
    const struct result *wanted       = &plan->result;
    json error                        = run_error(run);
    int64_t number                    = 0;
    json type                         = json_get_text(error, "type");
    CLEANUP(buf_done) struct buf text = buf_init(FAILURE_MAX);
    (void)json_print(error, JSON_COMPACT, &text);
    (void)json_to_int(json_get_text(error, "status"), &number);
    bool is_type =
        !*wanted->error || (json_is(type, JSON_TEXT) && str_is(json_str(type), wanted->error));
    bool is_status = wanted->status == 0 || wanted->status == number;
    if (wanted->is_error && is_type && is_status) return;
    sim_fail(sim, "run %s (%s) faulted with %s; %s was to come", run_id(run), plan->client_id,
             text.ptr, wanted->is_error ? wanted->error : "an output");
}

static void check_undone(const struct story *story, const struct run *run)
{
    const struct result *wanted = &story->plan->result;
    bool is_same                = story->undone_count == wanted->undone_count;
    for (size_t i = 0; is_same && i < wanted->undone_count; i++) {
        is_same = story->undone[i] == wanted->undone[i];
    }
    if (is_same) return;
    sim_fail(story->sim, "I6: run %s: %zu compensations in another order than the %zu to come",
             run_id(run), story->undone_count, wanted->undone_count);
}

/* What a worker has done in a saga that was left is undone, or somebody is told of it. */
static void check_cuts(const struct story *story, const struct run *run)
{
    if (run_status(run) == RUN_TERMINATED) return;
    size_t left = sim_cuts_left(story->sim, run_id(run));
    if (left <= story->doubts) return;
    sim_fail(story->sim, "I6: run %s: %zu calls were cut short and not undone, %zu are in doubt",
             run_id(run), left, story->doubts);
}

static void check_end(const struct inspection *look, const struct story *story,
                      const struct run *run)
{
    enum run_status state = run_status(run);
    if (run_status_is_final(state) != story->has_ended) {
        sim_fail(look->sim, "I4: run %s: its journal has no end", run_id(run));
    }
    if (!run_status_is_final(state)) {
        if (look->is_final) sim_fail(look->sim, "run %s never ends", run_id(run));
        return;
    }
    if (story->tasks_open != 0 || story->jobs_open != 0) {
        sim_fail(look->sim, "I5: run %s ended with %" PRId64 " tasks, %" PRId64 " jobs open",
                 run_id(run), story->tasks_open, story->jobs_open);
    }
    check_cuts(story, run);
    const struct plan *plan = story->plan;
    if (story->is_given_up) { /* it rests on a late call, until that is redriven or for good */
        bool is_due = look->is_final && sim_redrive_is_due(look->sim, plan, story->given_up);
        if (is_due) {
            sim_fail(look->sim, "run %s: the rule does not redrive job %s", run_id(run),
                     story->given_up);
        }
        return;
    }
    if (!plan || plan->is_stopped || plan->tokens > 0) return;
    if (state == RUN_COMPLETED) {
        check_output(look->sim, plan, run);
    } else if (state == RUN_FAULTED) {
        check_error(look->sim, plan, run);
    } else {
        sim_fail(look->sim, "run %s (%s) was stopped, and nobody stopped it", run_id(run),
                 plan->client_id);
    }
    check_undone(story, run);
}

/* The run three times: from the first entry, from its snapshot, in the engine's memory. */
static status check_run(struct inspection *look, const char *id, const Pb__RunView *row,
                        const Pb__RunHead *head, struct error *reterr)
{
    struct sim *sim                     = look->sim;
    CLEANUP(run_freep) struct run *told = NULL;
    CLEANUP(run_freep) struct run *read = NULL;
    struct definitions *definitions     = stage_definitions(sim->stage);
    CLEANUP(story_done)
    struct story story           = story_begin(sim, look->census, plan_of(sim, id));
    story.is_final               = look->is_final;
    story.is_told                = look->is_final || look->sim->trace;
    const struct run_visit visit = {.visit = story_event, .context = &story};
    bytes digest                 = {row->digest.data, row->digest.len};
    TRY(run_load(look->txn, definitions, str_from(id), head, digest, true, &visit, &told, reterr));
    TRY(run_load(look->txn, definitions, str_from(id), head, digest, false, NULL, &read, reterr));
    check_same(sim, told, read, "the snapshot");
    const struct engine *engine = stage_engine(sim->stage, look->partition);
    const struct live_run *live = map_get(engine->cache.by_id, str_from(id));
    if (live) check_same(sim, told, live->run, "the engine");
    check_head(look, told, head);
    check_rows(look, told, head);
    check_end(look, &story, told);
    if (look->is_final && sim_schedule_owns(row)) sim_schedule_ended(sim, told);
    look->census->runs++;
    return STATUS_OK;
}

static status see_run(bytes key, bytes, struct error *reterr, void *context)
{
    struct inspection *look = context;
    Pb__RunHead *head       = NULL;
    Pb__RunView *view       = NULL;
    ASSERT(key.len == ID_BYTES);
    const struct id id = id_unpack(key.ptr);
    TRY(run_rows_get(look->txn, str_from(id.text), look->arena, &view, &head, reterr));
    look->census->scheduled += sim_schedule_owns(view);
    look->open += !run_status_wire_is_final((Pb__RunStatus)head->status);
    return check_run(look, id.text, view, head, reterr);
}

/* --- tables -------------------------------------------------------------------------------------
 */

static status see_entry(bytes key, bytes, struct error *, void *context)
{
    struct inspection *look = context;
    uint64_t number         = u64_from(key.ptr);
    bool is_next = look->sim->has_deletions ? number > look->entry : number == look->entry + 1;
    if (!is_next) {
        sim_fail(look->sim, "I2: partition %u: entry %" PRIu64 " follows %" PRIu64, look->partition,
                 number, look->entry);
    }
    look->entry = number;
    return STATUS_OK;
}

static status see_row(bytes, bytes, struct error *, void *context)
{
    ((struct inspection *)context)->rows++;
    return STATUS_OK;
}

static status each(struct inspection *look, enum table table, page_fn visit, struct error *reterr)
{
    struct page page       = {};
    const struct scan scan = {};
    look->rows             = 0;
    return txn_page(look->txn, table, &scan, PAGE_ROWS, &page, visit, look, reterr);
}

static status check_count(struct inspection *look, enum table table, size_t wanted,
                          struct error *reterr)
{
    TRY(each(look, table, see_row, reterr));
    if (look->rows == wanted) return STATUS_OK;
    sim_fail(look->sim, "I11: partition %u: %zu rows in %s, %zu were to be there", look->partition,
             look->rows, table_names[table], wanted);
    return STATUS_OK;
}

/* When everything is over, nobody waits for anything; and of runs that are not kept nothing is
 * left. */
static status check_left_over(struct inspection *look, struct error *reterr)
{
    static const enum table over[] = {
        TABLE_OUTBOX,        TABLE_WATCHERS,           TABLE_LISTENERS,
        TABLE_LISTENER_KEYS, TABLE_SLOT_WAITERS,       TABLE_BUDGET_ASKS,
        TABLE_DELETIONS,     TABLE_CALL_CACHE_CALLERS, TABLE_DELIVERIES};
    static const enum table runs[] = {TABLE_RUNS,     TABLE_RUN_INDEX,   TABLE_SNAPSHOTS,
                                      TABLE_PAYLOADS, TABLE_APPROVALS,   TABLE_CLIENT_IDS,
                                      TABLE_JOBS,     TABLE_DEAD_LETTERS};
    for (size_t i = 0; i < ARRAY_LEN(over); i++) TRY(check_count(look, over[i], 0, reterr));
    bool is_kept = look->sim->retention.keep_us == 0;
    for (size_t i = 0; i < ARRAY_LEN(runs) && !is_kept; i++) {
        TRY(check_count(look, runs[i], 0, reterr));
    }
    return STATUS_OK;
}

/* What the queues in memory count, counted anew. */
static void check_queues(struct inspection *look)
{
    const struct engine *engine = stage_engine(look->sim->stage, look->partition);
    size_t index                = 0;
    size_t total                = 0;
    const struct queue *queue;
    while ((queue = job_queue_next(engine->queues, &index))) {
        size_t counts[4] = {};
        size_t cursor    = 0;
        const struct open_job *job;
        while ((job = open_job_next(engine->queues, &cursor))) {
            if (job->queue == queue) counts[job->state]++;
        }
        bool is_same = counts[OPEN_JOB_READY] == queue->ready_count &&
                       counts[OPEN_JOB_DELAYED] == queue->delayed_count &&
                       counts[OPEN_JOB_HELD] == queue->held_count &&
                       counts[OPEN_JOB_LEASED] == queue->leased_count;
        if (!is_same) {
            sim_fail(look->sim,
                     "I11: partition %u: queue " STR_FMT " counts other jobs than it has",
                     look->partition, STR_ARG(queue->name));
        }
        total += counts[0] + counts[1] + counts[2] + counts[3];
    }
    if (total != look->jobs) {
        sim_fail(look->sim, "I11: partition %u: %zu jobs in the queues, %zu in the journal",
                 look->partition, total, look->jobs);
    }
}

/* While nothing goes wrong, what is due is done. */
static void check_timers(const struct inspection *look)
{
    const struct engine *engine = stage_engine(look->sim->stage, look->partition);
    int64_t late_us             = engine->now_us - engine->timer_due_us;
    if (look->sim->is_calm && late_us > SECOND) {
        sim_fail(look->sim, "I7: partition %u: a timer is %" PRId64 " us late", look->partition,
                 late_us);
    }
}

static void on_fault(const char *text, void *context)
{
    sim_fail(context, "the proof of backups: %s", text);
}

/* Each lane of webhooks has a job. */
struct lanes {
    struct inspection *look;
    uint8_t last[2 * ID_BYTES];
};

static status see_delivery(bytes key, bytes, struct error *, void *context)
{
    struct lanes *lanes = context;
    ASSERT(key.len > sizeof lanes->last);
    if (memcmp(lanes->last, key.ptr, sizeof lanes->last) == 0) return STATUS_OK;
    memcpy(lanes->last, key.ptr, sizeof lanes->last);
    lanes->look->jobs++;
    return STATUS_OK;
}

static status count_lanes(struct inspection *look, struct error *reterr)
{
    struct page page       = {};
    const struct scan scan = {};
    struct lanes lanes     = {.look = look};
    return txn_page(look->txn, TABLE_DELIVERIES, &scan, PAGE_ROWS, &page, see_delivery, &lanes,
                    reterr);
}

static status check_partition(struct inspection *look, struct error *reterr)
{
    /* What `tutti backup verify` would say, by code of its own. */
    struct proof proof  = {};
    struct store *store = stage_store(look->sim->stage, look->partition);
    if (look->is_final) TRY(proof_of_store(store, on_fault, look->sim, &proof, reterr));
    TRY(txn_begin_read(stage_store(look->sim->stage, look->partition), &look->txn, reterr));
    TRY(each(look, TABLE_JOURNAL, see_entry, reterr));
    look->census->redrive_count = 0;
    TRY(each(look, TABLE_RUNS, see_run, reterr));
    sim_redrive_rate(look->sim, look->partition, look->census->redrives_us,
                     look->census->redrive_count);
    TRY(count_lanes(look, reterr));
    TRY(check_count(look, TABLE_RUN_HEADS, look->open, reterr));
    TRY(check_count(look, TABLE_JOBS, look->jobs, reterr));
    TRY(check_count(look, TABLE_READY, look->jobs, reterr));
    TRY(check_count(look, TABLE_TIMERS, look->timers, reterr));
    if (look->is_final) TRY(check_left_over(look, reterr));
    check_queues(look);
    check_timers(look);
    return STATUS_OK;
}

/* --- all partitions -----------------------------------------------------------------------------
 */

/* Whatever was acknowledged is there. */
static void check_acknowledged(struct sim *sim, const struct census *census)
{
    for (const struct op *op = sim->ops; op; op = op->next) {
        if (!op->is_done || op->kind != OP_SIGNAL || !op->event.text[0]) continue;
        if (run_may_be_gone(sim, op->run.text)) continue;
        if (!map_get(census->signals, str_from(op->event.text))) {
            sim_fail(sim, "I1: signal %s of run %s was acknowledged and is lost", op->request_id,
                     op->run.text);
        }
    }
    for (size_t i = 0; i < sim->plan_count; i++) {
        const struct plan *plan = &sim->plans[i];
        if (!plan->run.text[0] || run_may_be_gone(sim, plan->run.text)) continue;
        struct key key;
        bytes row                           = {};
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        uint16_t partition                  = id_partition(str_from(plan->run.text));
        id_key(&key, str_from(plan->run.text));
        status got = txn_begin_read(stage_store(sim->stage, partition), &txn, NULL);
        if (got == STATUS_OK) got = txn_get(txn, TABLE_RUNS, key_bytes(&key), &row, NULL);
        if (got != STATUS_OK) {
            sim_fail(sim, "I1: the start of run %s was acknowledged and is lost", plan->run.text);
        }
    }
}

static void check_tally(struct sim *sim, uint32_t site, const char *what, uint64_t seen,
                        uint64_t least, uint64_t most)
{
    if (seen >= least && seen <= most) return;
    sim_fail(sim, "place %u (kind %d): %" PRIu64 " %s, %" PRIu64 " to %" PRIu64 " were to come",
             site, (int)sim->programs.sites[site].kind, seen, what, least, most);
}

static void check_tallies(struct sim *sim, const struct census *census)
{
    for (uint32_t i = 1; i <= sim->programs.site_count; i++) {
        const struct tally *seen  = &census->tallies[i];
        const struct tally *least = &sim->least[i];
        const struct tally *most  = &sim->most[i];
        /* Of attempts that are counted all may be lost before a worker hears of one. */
        enum site_kind kind = sim->programs.sites[i].kind;
        if (kind == SITE_CUT || kind == SITE_UNCUT) continue; /* sim_cuts.c */
        bool may_be_lost = kind == SITE_EXHAUST || kind == SITE_NOT_UNDONE || kind == SITE_LATE ||
                           kind == SITE_UNSURE;
        /* Whoever made the call that all share may have been deleted. */
        bool is_another = sim->has_deletions && sim->programs.sites[i].is_cached;
        uint64_t first  = is_another ? 0 : least->completed;
        check_tally(sim, i, "keys", sim->seen_keys[i], may_be_lost ? 0 : least->keys, most->keys);
        if (sim->retention.keep_us > 0) continue; /* the journals are gone */
        check_tally(sim, i, "jobs completed", seen->completed, first, most->completed);
        check_tally(sim, i, "jobs failed", seen->failed, least->failed, most->failed);
        check_tally(sim, i, "jobs given up", seen->dead, least->dead, most->dead);
    }
}

static void check_runs(struct sim *sim, const struct census *census)
{
    size_t most  = 0;
    size_t least = 0;
    for (size_t i = 0; i < sim->plan_count; i++) {
        const struct plan *plan = &sim->plans[i];
        most += 1 + plan->result.children + (plan->tokens > 0 ? CHILDREN_FREE_MAX : 0);
        bool is_kept    = plan->run.text[0] && !run_may_be_gone(sim, plan->run.text);
        bool is_certain = !plan->is_stopped && plan->tokens == 0;
        if (is_kept) least += is_certain ? 1 + plan->result.children : 1;
    }
    size_t count = census->runs - census->scheduled;
    if (count < least || count > most) {
        sim_fail(sim, "%zu runs, %zu to %zu were to come", count, least, most);
    }
}

void check_all(struct sim *sim, bool is_final)
{
    if (!stage_is_up(sim->stage) || sim->failure[0]) return;
    struct census *census = mem_new(1, sizeof *census);
    census->signals       = map_new(SIGNALS_MAX);
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        struct error error     = {};
        struct inspection look = {.sim       = sim,
                                  .census    = census,
                                  .partition = i,
                                  .is_final  = is_final,
                                  .arena     = arena_new(ARENA_MAX)};
        if (check_partition(&look, &error) != STATUS_OK) {
            sim_fail(sim, "I3: partition %u cannot be read: %s", i, error.text);
        }
        txn_abort(look.txn);
        arena_free(look.arena);
    }
    check_acknowledged(sim, census);
    if (is_final) {
        check_runs(sim, census);
        check_tallies(sim, census);
        sim_schedule_check(sim);
        sim_webhooks_check(sim);
        sim_limits_look(sim, true);
        for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
            sim_operator_check(sim, i, true);
        }
        sim_budgets_check(sim, true);
        sim_audit_check(sim);
    }
    map_free(census->signals);
    free(census);
}
