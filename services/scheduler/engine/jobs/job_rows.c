#include "scheduler/engine/jobs/job_rows.h"

#include "base/map.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"

#include <stdlib.h>

/* Every text of a leased job that schedule() fills in. */
static bool copy_texts(Pb__LeasedJob *leased, const struct open_job *job, struct arena *arena)
{
    const char **const texts[] = {
        &leased->queue,       &leased->function,
        &leased->run,         &leased->namespace_,
        &leased->workflow,    &leased->task,
        &leased->iteration,   &leased->idempotency_key,
        &leased->traceparent, &leased->function_version,
    };
    leased->id   = arena_strdup(arena, str_from(job->id.text));
    bool is_full = !leased->id;
    for (size_t i = 0; i < ARRAY_LEN(texts) && !is_full; i++) {
        *texts[i] = **texts[i] ? arena_strdup(arena, str_from(*texts[i])) : "";
        is_full   = !*texts[i];
    }
    ProtobufCBinaryData *const documents[] = {&leased->input_json, &leased->checkpoint_json};
    for (size_t i = 0; i < ARRAY_LEN(documents) && !is_full; i++) {
        const ProtobufCBinaryData given = *documents[i];
        *documents[i] = bytes_in(arena, (str){(const char *)given.data, given.len});
        is_full       = given.len > 0 && !documents[i]->data;
    }
    return !is_full;
}

void open_job_note_end(const struct open_job *job, Pb__JobRecord *record)
{
    uint32_t before       = (uint32_t)record->job->previous;
    record->job->previous = before > job->ended_as ? before : job->ended_as;
    /* What somebody answered for is that one attempt. */
    bool may_have_acted = job->ended_as >= PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
    if (may_have_acted) record->job->asked_again = false;
}

Pb__JobRecord *engine_fresh_take(struct engine *engine, struct open_job *job, struct arena *arena)
{
    const struct fresh_job *fresh = job->fresh;
    job->fresh                    = NULL;
    if (!fresh || job->fresh_turn != engine->turn) return NULL;
    /* The worker's answer outlives the turn. */
    struct fresh_job *copy = arena_alloc(arena, sizeof *copy);
    if (!copy) return NULL;
    *copy            = *fresh;
    copy->record.job = &copy->leased;
    return copy_texts(&copy->leased, job, arena) ? &copy->record : NULL;
}

const char *engine_function_name(struct engine *engine, const char *name)
{
    str text    = str_from(name);
    char *known = map_get(engine->functions, text);
    if (known || map_count(engine->functions) >= FUNCTION_NAMES_MAX) return known;
    known       = mem_dup(text.ptr, text.len);
    bool is_put = map_put(engine->functions, text, known);
    if (is_put) return known;
    free(known);
    return NULL;
}

void engine_functions_free(struct engine *engine)
{
    size_t cursor = 0;
    void *name    = NULL;
    while (map_next(engine->functions, &cursor, NULL, &name)) free(name);
    map_free(engine->functions);
}

status engine_place_later(struct engine *engine, struct open_job *job, struct error *reterr)
{
    struct id *id = arena_alloc(engine->arena, sizeof *id);
    if (!id) return engine_ready_put(engine, job, reterr);
    *id               = job->id;
    job->is_place_due = true;
    pointers_push(&engine->placed, id);
    return STATUS_OK;
}

status engine_places_flush(struct engine *engine, struct error *reterr)
{
    for (size_t i = 0; i < engine->placed.count; i++) {
        const struct id *id  = engine->placed.items[i];
        struct open_job *job = open_job_find(engine->queues, str_from(id->text));
        if (job && job->is_place_due) TRY(engine_ready_put(engine, job, reterr));
    }
    engine->placed.count = 0;
    return STATUS_OK;
}
