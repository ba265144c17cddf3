/* The audit log, after everything that has gone wrong. */
#include "base/assert.h"
#include "scheduler/tables/audit_chain.h"
#include "sim.h"

enum { STARTS_MAX = 100'000, ARENA_MAX = 64 << 20 };

/* The records of starts: which run, and how many of it. */
static void see_record(struct sim *sim, const Pb__AuditRecord *record, struct map *started)
{
    bool is_new =
        strcmp(record->action, SIM_AUDIT_START) == 0 && !map_get(started, str_from(record->run));
    if (strcmp(record->action, SIM_AUDIT_START) != 0) return;
    if (!is_new) sim_fail(sim, "I12: the start of run %s is recorded twice", record->run);
    (void)map_put(started, str_from(record->run), sim);
}

static status read_records(struct sim *sim, struct map *started, struct arena *arena,
                           struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    bytes key                                    = {};
    bytes value                                  = {};
    TRY(txn_begin_read(stage_store(sim->stage, 0), &txn, reterr));
    TRY(cursor_open(txn, TABLE_AUDIT, &all, &cursor, reterr));
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        struct audit_row row    = {};
        Pb__AuditRecord *record = NULL;
        TRY(audit_row_read(key, value, &row, reterr));
        TRY(record_read(row.record, &pb__audit_record__descriptor, arena, &record, reterr));
        see_record(sim, record, started);
    }
    return STATUS_OK;
}

/* Whoever was told that a run has started finds it in the audit log, once, whatever has crashed. */
void sim_audit_check(struct sim *sim)
{
    CLEANUP(map_freep) struct map *started   = map_new(STARTS_MAX);
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct error error                       = {};
    ASSERT(arena);
    if (read_records(sim, started, arena, &error) != STATUS_OK) {
        sim_fail(sim, "I12: the audit log cannot be read: %s", error.text);
        return;
    }
    for (size_t i = 0; i < sim->plan_count; i++) {
        str run = str_from(sim->plans[i].run.text);
        if (run.len > 0 && !map_get(started, run)) {
            sim_fail(sim, "I12: the start of run %s is not recorded", run.ptr);
        }
    }
}
