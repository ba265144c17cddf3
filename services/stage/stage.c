#include "stage/stage.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/subscriptions.h"
#include "store/fault.h"
#include "workflow.pb-c.h"

#include <stdlib.h>

enum {
    STORE_SIZE     = 1 << 30, /* bytes, of keys and values */
    CALL_ARENA_MAX = 64 << 20,
    SETTLE_MAX     = 5'000'000, /* turns */
};

struct stage {
    struct stage_options options;
    struct engine_clock clock;
    int64_t now_us, mono_us;
    struct definitions *definitions;
    struct subscriptions *subscriptions;
    struct partition *partitions[STAGE_PARTITIONS_MAX];
    struct engine *engines[STAGE_PARTITIONS_MAX]; /* NULL: crashed */
    uint64_t restarts;
    bool has_failed;
};

/* --- what an engine asks ------------------------------------------------------------------------
 */

static int64_t on_unix_us(void *context)
{
    return ((const struct stage *)context)->now_us;
}

static int64_t on_mono_us(void *context)
{
    return ((const struct stage *)context)->mono_us;
}

static status on_post(uint16_t partition, struct command *command, struct error *reterr,
                      void *context)
{
    const struct stage *stage = context;
    ASSERT(partition < stage->options.partitions);
    struct engine *engine = stage->engines[partition];
    if (engine) return engine_post(engine, command, reterr);
    return fail(reterr, STATUS_UNAVAILABLE, "partition %u is not here", partition);
}

static bool on_has_partition(uint16_t partition, void *context)
{
    return partition < ((const struct stage *)context)->options.partitions;
}

static void on_failed(const struct error *, void *context)
{
    ((struct stage *)context)->has_failed = true;
}

/* --- open and close -----------------------------------------------------------------------------
 */

static status open_engine(struct stage *stage, uint16_t index, struct error *reterr)
{
    /* Ids and jitter after a restart are others than before, as in a new process. */
    struct prng seeds = {stage->options.seed + 1'000'003 * stage->restarts + index};
    const struct engine_options options = {
        .partition     = stage->partitions[index],
        .clock         = &stage->clock,
        .definitions   = stage->definitions,
        .subscriptions = stage->subscriptions,
        .system_store  = stage->partitions[0]->store,
        .listener      = {.context = stage},
        .limits        = stage->options.limits,
        .secrets       = stage->options.secrets,
        .retention     = stage->options.retention,
        .audit         = stage->options.audit,
        .breakers      = stage->options.breakers,
        .lease_ms      = stage->options.lease_ms,
        .random_seed   = prng_next(&seeds) | 1,
        .post          = on_post,
        .has_partition = on_has_partition,
        .neighbours    = stage,
        .failed        = on_failed,
    };
    return engine_open(&options, &stage->engines[index], reterr);
}

static status open_all(struct stage *stage, struct error *reterr)
{
    stage->definitions   = definitions_new();
    stage->subscriptions = subscriptions_new();
    TRY(subscriptions_load(stage->subscriptions, stage->partitions[0]->store, reterr));
    for (uint16_t i = 0; i < stage->options.partitions; i++) TRY(open_engine(stage, i, reterr));
    return STATUS_OK;
}

status stage_open(const struct stage_options *options, struct stage **ret_stage,
                  struct error *reterr)
{
    ASSERT(options->partitions > 0 && options->partitions <= STAGE_PARTITIONS_MAX);
    ASSERT(options->seed != 0);
    CLEANUP(stage_closep) struct stage *stage = mem_new(1, sizeof *stage);
    stage->options                            = *options;
    stage->now_us                             = options->now_us;
    stage->mono_us                            = 1'000'000;
    stage->clock = (struct engine_clock){on_unix_us, on_mono_us, stage};
    for (uint16_t i = 0; i < options->partitions; i++) {
        const struct partition_options partition = {
            .map_size = STORE_SIZE, .index = i, .count = options->partitions};
        TRY(partition_open(&partition, &stage->partitions[i], reterr));
    }
    TRY(open_all(stage, reterr));
    *ret_stage = TAKE(stage);
    return STATUS_OK;
}

void stage_crash(struct stage *stage)
{
    for (uint16_t i = 0; i < stage->options.partitions; i++) engine_abandon(stage->engines[i]);
    for (uint16_t i = 0; i < stage->options.partitions; i++) engine_stop(TAKE(stage->engines[i]));
    definitions_free(TAKE(stage->definitions));
    subscriptions_free(TAKE(stage->subscriptions));
    stage->has_failed = false;
}

status stage_restart(struct stage *stage, struct error *reterr)
{
    ASSERT(!stage->definitions);
    stage->restarts++;
    for (uint16_t i = 0; i < stage->options.partitions; i++) {
        store_revive(stage->partitions[i]->store);
    }
    return open_all(stage, reterr);
}

void stage_close(struct stage *stage)
{
    if (!stage) return;
    stage_crash(stage);
    for (int i = 0; i < STAGE_PARTITIONS_MAX; i++) partition_close(stage->partitions[i]);
    free(stage);
}

void stage_closep(struct stage **stage)
{
    stage_close(*stage);
    *stage = NULL;
}

/* --- looking ------------------------------------------------------------------------------------
 */

uint16_t stage_partition_count(const struct stage *stage)
{
    return stage->options.partitions;
}

bool stage_is_up(const struct stage *stage)
{
    return stage->definitions != NULL;
}

bool stage_has_failed(const struct stage *stage)
{
    return stage->has_failed;
}

struct engine *stage_engine(const struct stage *stage, uint16_t partition)
{
    ASSERT(partition < stage->options.partitions);
    return stage->engines[partition];
}

struct partition *stage_partition(const struct stage *stage, uint16_t partition)
{
    ASSERT(partition < stage->options.partitions);
    return stage->partitions[partition];
}

struct store *stage_store(const struct stage *stage, uint16_t partition)
{
    return stage_partition(stage, partition)->store;
}

struct definitions *stage_definitions(const struct stage *stage)
{
    return stage->definitions;
}

struct queue *stage_queue_next(const struct stage *stage, uint16_t partition, size_t *index)
{
    const struct engine *engine = stage_engine(stage, partition);
    return engine ? job_queue_next(engine->queues, index) : NULL;
}

/* --- time ---------------------------------------------------------------------------------------
 */

int64_t stage_now_us(const struct stage *stage)
{
    return stage->now_us;
}

void stage_set_now(struct stage *stage, int64_t unix_us)
{
    stage->now_us = unix_us;
}

void stage_pass(struct stage *stage, int64_t us)
{
    ASSERT(us >= 0);
    stage->now_us += us;
    stage->mono_us += us;
}

int64_t stage_partition_wait_us(const struct stage *stage, uint16_t partition)
{
    struct engine *engine = stage_engine(stage, partition);
    if (!engine || engine->has_failed) return INT64_MAX;
    return engine_depth(engine) > 0 ? 0 : engine_wait_us(engine, false);
}

int64_t stage_wait_us(const struct stage *stage)
{
    int64_t wait_us = INT64_MAX;
    for (uint16_t i = 0; i < stage->options.partitions; i++) {
        int64_t partition_us = stage_partition_wait_us(stage, i);
        if (partition_us < wait_us) wait_us = partition_us;
    }
    return wait_us;
}

void stage_step(struct stage *stage, uint16_t partition)
{
    struct engine *engine = stage_engine(stage, partition);
    if (engine && !engine->has_failed) engine_step(engine);
}

/* One turn of each engine that has something to do; false: none has. */
static bool turn_all(struct stage *stage)
{
    bool has_turned = false;
    for (uint16_t p = 0; p < stage->options.partitions; p++) {
        const struct engine *engine = stage_engine(stage, p);
        if (!engine || engine->has_failed) continue;
        bool is_woken = outbox_has_news(engine->outbox);
        if (!is_woken && stage_partition_wait_us(stage, p) > 0) continue;
        stage_step(stage, p);
        has_turned = true;
    }
    return has_turned;
}

status stage_settle(struct stage *stage, struct error *reterr)
{
    for (unsigned i = 0; i < SETTLE_MAX; i++) {
        if (!turn_all(stage)) return STATUS_OK;
    }
    return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no end after %d turns at one moment",
                SETTLE_MAX);
}

/* --- calls --------------------------------------------------------------------------------------
 */

static void on_done(struct command *command)
{
    struct stage_call *call = command->context;
    call->is_done           = true;
    if (call->done) call->done(call);
}

struct stage_call *stage_call_new(enum command_kind kind, size_t value_count)
{
    struct stage_call *call = mem_new(1, sizeof *call);
    call->arena             = arena_new(CALL_ARENA_MAX);
    call->command           = (struct command){
                  .mail        = {.size_bytes = sizeof *call},
                  .kind        = kind,
                  .arena       = call->arena,
                  .values      = value_count > 0 ? mem_new(value_count, sizeof(json)) : NULL,
                  .value_count = value_count,
                  .done        = on_done,
                  .context     = call,
    };
    return call;
}

void stage_call_free(struct stage_call *call)
{
    if (!call) return;
    command_release(&call->command);
    arena_free(call->arena);
    free(call);
}

void stage_call_freep(struct stage_call **call)
{
    stage_call_free(*call);
    *call = NULL;
}

void *stage_call_alloc(struct stage_call *call, size_t size)
{
    void *memory = arena_alloc(call->arena, size);
    ASSERT(memory);
    return memory;
}

status stage_post(struct stage *stage, uint16_t partition, struct stage_call *call,
                  struct error *reterr)
{
    return on_post(partition, &call->command, reterr, stage);
}

status stage_ask(struct stage *stage, uint16_t partition, struct stage_call *call,
                 struct error *reterr)
{
    TRY(stage_post(stage, partition, call, reterr));
    TRY(stage_settle(stage, reterr));
    if (!call->is_done) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "the call was not answered");
    if (call->command.code != STATUS_OK && reterr) *reterr = call->command.error;
    return call->command.code;
}

status stage_put(struct stage *stage, const struct workflow *workflow, struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_PUT_WORKFLOW, 0);
    Pb__PutWorkflow *request                          = stage_call_alloc(call, sizeof *request);
    Pb__PutWorkflowAnswer *response                   = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__PutWorkflow)PB__PUT_WORKFLOW__INIT;
    *response              = (Pb__PutWorkflowAnswer)PB__PUT_WORKFLOW_ANSWER__INIT;
    request->by            = "stage";
    call->command.request  = request;
    call->command.response = response;
    call->command.workflow = workflow_ref(workflow);
    status put             = stage_ask(stage, 0, call, reterr);
    if (put == STATUS_OK) definitions_changed(stage->definitions);
    return put;
}
