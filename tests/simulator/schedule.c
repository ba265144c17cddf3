/* A schedule that a client makes and, when all is calm, deletes: each of its times starts one run.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "schedule.pb-c.h"
#include "scheduler/tables/record.h"
#include "sim.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_S = 10, TIMES_MAX = 4'096, INPUT_MAX = 64 };

static const char id[]     = "tick";
static const char prefix[] = "scheduled:tick:"; /* of its runs' client ids */

/* A run goes on for longer than the next time is away, at times. */
static const char workflow[] =
    "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"sim\",\"name\":\"tick\",\"version\":\"1.0."
    "0\"},"
    "\"do\":[{\"w\":{\"wait\":{\"seconds\":4}}},{\"t\":{\"set\":{\"n\":\"${ .n * 2 }\"}}}]}";

bool sim_schedule_owns(const Pb__RunView *row)
{
    return strncmp(row->client_id, prefix, sizeof prefix - 1) == 0;
}

bool sim_schedule_set_up(struct sim *sim)
{
    static const uint32_t overlaps[] = {PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_ALLOW,
                                        PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_SKIP};
    sim->schedule.is_there           = sim_draw(sim, 3) == 0;
    if (!sim->schedule.is_there) return true;
    sim->schedule.n          = (int64_t)sim_draw(sim, 1'000);
    sim->schedule.overlap    = overlaps[sim_draw(sim, 2)];
    sim->schedule.starts_all = sim->schedule.overlap == overlaps[0];
    return sim_put(sim, str_from(workflow));
}

/* --- clients ------------------------------------------------------------------------------------
 */

void sim_schedule_begin(struct sim *sim)
{
    if (!sim->schedule.is_there) return;
    sim_at(sim, (int64_t)sim_draw(sim, 10'000) * MS, client_send,
           client_op(sim, OP_SCHEDULE, NULL));
}

void sim_schedule_done(struct sim *sim, const struct op *)
{
    int64_t left_us = sim->weather.until_us - sim->now_us;
    if (left_us < 0) left_us = 0;
    sim_at(sim, left_us + 3 * EVERY_S * SECOND, client_send, client_op(sim, OP_UNSCHEDULE, NULL));
}

static struct stage_call *make_put(const struct sim *sim)
{
    char input[INPUT_MAX];
    (void)snprintf(input, sizeof input, "{\"n\":%" PRId64 "}", sim->schedule.n);
    struct stage_call *call    = stage_call_new(COMMAND_PUT_SCHEDULE, 0);
    Pb__PutSchedule *request   = stage_call_alloc(call, sizeof *request);
    Pb__ScheduleView *response = stage_call_alloc(call, sizeof *response);
    Pb__ScheduleSpec *spec     = stage_call_alloc(call, sizeof *spec);
    *request                   = (Pb__PutSchedule)PB__PUT_SCHEDULE__INIT;
    *response                  = (Pb__ScheduleView)PB__SCHEDULE_VIEW__INIT;
    *spec                      = (Pb__ScheduleSpec)PB__SCHEDULE_SPEC__INIT;
    spec->workflow             = "tick";
    spec->input_json.data      = (uint8_t *)arena_strdup(call->arena, str_from(input));
    spec->input_json.len       = strlen(input);
    spec->every_us             = EVERY_S * SECOND;
    spec->overlap              = (Pb__ScheduleOverlap)sim->schedule.overlap;
    spec->catch_up_us          = 3'600 * SECOND;
    request->id                = id;
    request->by                = "sim";
    request->create            = true;
    request->spec              = spec;
    call->command.request      = request;
    call->command.response     = response;
    return call;
}

struct stage_call *sim_schedule_make(struct sim *sim, const struct op *op)
{
    if (op->kind == OP_SCHEDULE) return make_put(sim);
    struct stage_call *call       = stage_call_new(COMMAND_DELETE_SCHEDULE, 0);
    Pb__DeleteSchedule *request   = stage_call_alloc(call, sizeof *request);
    Pb__DeletedSchedule *response = stage_call_alloc(call, sizeof *response);
    *request                      = (Pb__DeleteSchedule)PB__DELETE_SCHEDULE__INIT;
    *response                     = (Pb__DeletedSchedule)PB__DELETED_SCHEDULE__INIT;
    request->id                   = id;
    call->command.request         = request;
    call->command.response        = response;
    return call;
}

void sim_schedule_ended(struct sim *sim, const struct run *run)
{
    int64_t n     = -1;
    bool is_right = run_status(run) == RUN_COMPLETED &&
                    json_to_int(json_get_text(run_output(run), "n"), &n) &&
                    n == 2 * sim->schedule.n;
    if (is_right) return;
    sim_fail(sim, "run %s of the schedule gave %" PRId64 ", %" PRId64 " was to come", run_id(run),
             n, 2 * sim->schedule.n);
}

/* --- what came of it ----------------------------------------------------------------------------
 */

struct times {
    struct sim *sim;
    size_t count;
    int64_t due_us[TIMES_MAX];
};

static status see_run(bytes, bytes row, struct error *reterr, void *context)
{
    struct times *times                      = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    Pb__RunView *view                        = NULL;
    TRY(record_read(row, &pb__run_view__descriptor, arena, &view, reterr));
    if (!sim_schedule_owns(view)) return STATUS_OK;
    ASSERT(times->count < TIMES_MAX);
    if (!time_parse(str_from(view->client_id + sizeof prefix - 1),
                    &times->due_us[times->count++])) {
        sim_fail(times->sim, "run %s was started for no time: %s", view->id, view->client_id);
    }
    return STATUS_OK;
}

static int compare(const void *a, const void *b)
{
    int64_t left  = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void check_times(struct sim *sim, struct times *times)
{
    qsort(times->due_us, times->count, sizeof times->due_us[0], compare);
    for (size_t i = 1; i < times->count; i++) {
        int64_t apart_us = times->due_us[i] - times->due_us[i - 1];
        bool is_next     = apart_us == EVERY_S * SECOND;
        bool is_skipped  = !sim->schedule.starts_all && apart_us > 0;
        if (!is_next && !is_skipped) {
            sim_fail(sim, "a schedule started runs for times that are %" PRId64 " us apart",
                     apart_us);
        }
    }
    /* A clock that was set back may not have come to the first time. */
    if (times->count == 0 && sim->weather.step_us == 0) sim_fail(sim, "a schedule started nothing");
}

void sim_schedule_check(struct sim *sim)
{
    if (!sim->schedule.is_there || sim->retention.keep_us > 0) return;
    struct times *times = arena_alloc(sim->arena, sizeof *times);
    ASSERT(times);
    *times             = (struct times){.sim = sim};
    struct error error = {};
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        const struct scan scan              = {};
        struct page page                    = {};
        status read = txn_begin_read(stage_store(sim->stage, i), &txn, &error);
        if (read == STATUS_OK) {
            read = txn_page(txn, TABLE_RUNS, &scan, TIMES_MAX, &page, see_run, times, &error);
        }
        if (read != STATUS_OK) sim_fail(sim, "runs of the schedule: %s", error.text);
    }
    check_times(sim, times);
}
