#include "scheduler/engine/budgets/late_funds.h"

#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/over_calls.h"
#include "scheduler/engine/rows.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATE_MAX      = 4'000'000, /* as LEDGER_ASKS_MAX */
    ROW_ARENA_MAX = 1 << 20,   /* bytes */
    CALL_NUMBER   = 1,         /* of a call that has no lease, in place of the lease's */
};

struct late {
    struct id job, run;
    uint32_t lease_number;
    struct funding *funding; /* owned; granted */
    int64_t until_us;
    struct heap_link by_end;
};

struct late_funds {
    struct map *of; /* job id -> struct late, owned */
    struct heap by_end;
    struct over_calls *over; /* owned; of clients */
};

/* --- in memory ---------------------------------------------------------------------------------
 */

static struct late *late_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct late, by_end);
    return (struct late *)place;
}

static bool ends_before(const struct heap_link *a, const struct heap_link *b)
{
    return late_of(a)->until_us < late_of(b)->until_us;
}

static void late_free(struct late *late)
{
    funding_free(late->funding);
    free(late);
}

struct late_funds *late_funds_new(void)
{
    struct late_funds *funds = mem_new(1, sizeof *funds);
    funds->of                = map_new(LATE_MAX);
    funds->by_end            = heap_init(ends_before);
    funds->over              = over_calls_new();
    return funds;
}

void late_funds_free(struct late_funds *funds)
{
    size_t cursor = 0;
    void *late    = NULL;
    if (!funds) return;
    while (map_next(funds->of, &cursor, NULL, &late)) late_free(late);
    map_free(funds->of);
    heap_done(&funds->by_end);
    over_calls_free(funds->over);
    free(funds);
}

size_t late_funds_count(const struct late_funds *funds)
{
    return map_count(funds->of);
}

/* Takes `funding`, or leaves it: there are too many. */
static bool keep(struct late_funds *funds, const struct late *about, struct funding *funding)
{
    struct late *late = mem_new(1, sizeof *late);
    *late             = *about;
    if (!map_put(funds->of, str_from(late->job.text), late)) {
        free(late);
        return false;
    }
    funding_unlist(funding);
    funding->job  = NULL;
    late->funding = funding;
    heap_add(&funds->by_end, &late->by_end);
    return true;
}

/* --- at work -----------------------------------------------------------------------------------
 */

void engine_late_funds_keep(struct engine *engine, struct open_job *job, Pb__UnsaidLeaseRecord *row)
{
    struct funding *funding = job->funding;
    bool is_lasting         = job->lease_expires_us > engine->now_us;
    if (!funding || funding->state != PB__FUNDING_STATE__FUNDING_STATE_GRANTED || !is_lasting) {
        return;
    }
    const struct late about = {.job          = job->id,
                               .run          = job->run,
                               .lease_number = job->lease_number,
                               .until_us     = job->lease_expires_us};
    Pb__JobFunding *kept    = arena_alloc(engine->arena, sizeof *kept);
    if (!kept || !keep(engine->late_funds, &about, funding)) return;
    job->funding = NULL;
    funding_to_row(funding, kept);
    row->funding      = kept;
    row->set_aside_us = job->lease_expires_us;
    if (row->until_us < row->set_aside_us) row->until_us = row->set_aside_us;
}

/* Takes `late`. */
static status end(struct engine *engine, struct late *late, const Pb__Usage *used,
                  struct error *reterr)
{
    struct funding *funding = late->funding;
    heap_remove(&engine->late_funds->by_end, &late->by_end);
    (void)map_remove(engine->late_funds->of, str_from(late->job.text));
    fundings_release(job_queues_fundings(engine->queues), funding, str_from(late->run.text));
    const struct attempt_end attempt = {
        .job     = &late->job,
        .run     = str_from(late->run.text),
        .funding = funding,
        .number  = funding->has_asked ? funding->number : 0,
        .used    = used,
    };
    status told = engine_fund_tell(engine, &attempt, reterr);
    late_free(late);
    return told;
}

status engine_late_funds_end(struct engine *engine, str job, const Pb__Usage *used,
                             bool *ret_is_kept, struct error *reterr)
{
    struct late *late = map_get(engine->late_funds->of, job);
    *ret_is_kept      = late != NULL;
    return late ? end(engine, late, used, reterr) : STATUS_OK;
}

/* So that a restart does not keep it once more; what is reported later is charged all the same. */
static status clear_row(struct engine *engine, const struct late *late, struct error *reterr)
{
    struct key key;
    Pb__UnsaidLeaseRecord *row = NULL;
    lease_row_key(&key, str_from(late->job.text), late->lease_number);
    status got = record_get(engine->txn, TABLE_UNSAID_LEASES, key_bytes(&key),
                            &pb__unsaid_lease_record__descriptor, engine->arena, &row, NULL);
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "table unsaid_leases: a row");
    row->funding = NULL;
    return record_put(engine->txn, TABLE_UNSAID_LEASES, key_bytes(&key), &row->base, reterr);
}

status engine_late_funds_expire(struct engine *engine, struct error *reterr)
{
    struct heap_link *first = NULL;
    while (engine_late_funds_due_us(engine) <= engine->now_us) {
        first             = heap_first(&engine->late_funds->by_end);
        struct late *late = late_of(first);
        TRY(clear_row(engine, late, reterr));
        TRY(end(engine, late, NULL, reterr));
    }
    return STATUS_OK;
}

int64_t engine_late_funds_due_us(const struct engine *engine)
{
    const struct heap_link *first = heap_first(&engine->late_funds->by_end);
    return first ? late_of(first)->until_us : INT64_MAX;
}

/* --- calls of clients --------------------------------------------------------------------------
 */

static status put_call(struct engine *engine, const struct late *late, struct error *reterr)
{
    struct key key;
    Pb__UnsaidLeaseRecord row = PB__UNSAID_LEASE_RECORD__INIT;
    Pb__JobFunding funding;
    funding_to_row(late->funding, &funding);
    row.job          = late->job.text;
    row.run          = late->run.text;
    row.lease_number = late->lease_number;
    row.until_us     = late->until_us;
    row.set_aside_us = late->until_us;
    row.funding      = &funding;
    lease_row_key(&key, str_from(late->job.text), late->lease_number);
    return record_put(engine->txn, TABLE_UNSAID_LEASES, key_bytes(&key), &row.base, reterr);
}

status engine_late_funds_hold(struct engine *engine, const struct id *call, const struct id *run,
                              struct funding *funding, int64_t until_us, struct error *reterr)
{
    const struct late about = {
        .job = *call, .run = *run, .lease_number = CALL_NUMBER, .until_us = until_us};
    if (!keep(engine->late_funds, &about, funding)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many calls are under way");
    }
    return engine_late_funds_put(engine, str_from(call->text), reterr);
}

struct funding *engine_late_funds_of(const struct engine *engine, str call)
{
    const struct late *late = map_get(engine->late_funds->of, call);
    return late && late->lease_number == CALL_NUMBER ? late->funding : NULL;
}

status engine_late_funds_put(struct engine *engine, str call, struct error *reterr)
{
    const struct late *late = map_get(engine->late_funds->of, call);
    return late ? put_call(engine, late, reterr) : STATUS_OK;
}

status engine_late_funds_release(struct engine *engine, str call, struct error *reterr)
{
    struct late *late = map_get(engine->late_funds->of, call);
    struct key key;
    over_calls_add(engine->late_funds->over, call, engine->now_us);
    if (!late) return STATUS_OK;
    lease_row_key(&key, call, late->lease_number);
    TRY(txn_delete(engine->txn, TABLE_UNSAID_LEASES, key_bytes(&key), reterr));
    return end(engine, late, NULL, reterr);
}

bool engine_late_funds_is_over(const struct engine *engine, str call)
{
    return over_calls_have(engine->late_funds->over, call, engine->now_us);
}

/* --- recovery ----------------------------------------------------------------------------------
 */

struct recovery {
    struct engine *engine;
    struct arena *arena;
};

static status recover_row(bytes, bytes value, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct engine *engine           = recovery->engine;
    Pb__UnsaidLeaseRecord *row      = NULL;
    struct late about               = {};
    arena_clear(recovery->arena);
    TRY(record_read(value, &pb__unsaid_lease_record__descriptor, recovery->arena, &row, reterr));
    if (!row->funding) return STATUS_OK;
    if (!id_is_valid(str_from(row->job)) || !id_is_valid(str_from(row->run))) {
        return fail(reterr, STATUS_DATA_LOSS, "table unsaid_leases: a row");
    }
    about = (struct late){.lease_number = row->lease_number, .until_us = row->set_aside_us};
    memcpy(about.job.text, row->job, ID_LEN);
    memcpy(about.run.text, row->run, ID_LEN);
    struct funding *funding = funding_from_row(row->funding);
    const struct spend own  = {row->funding->own_tokens, row->funding->own_nanos};
    if (keep(engine->late_funds, &about, funding)) {
        str run = str_from(about.run.text);
        fundings_reserve(job_queues_fundings(engine->queues), funding, run, own);
    } else {
        funding_free(funding);
    }
    return STATUS_OK;
}

status engine_late_funds_recover(struct engine *engine, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    struct recovery recovery                 = {.engine = engine, .arena = arena};
    return engine_each_row(engine, TABLE_UNSAID_LEASES, recover_row, &recovery, reterr);
}
