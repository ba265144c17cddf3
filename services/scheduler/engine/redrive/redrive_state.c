/* What is set, what is heard, and the rows that keep it. */
#include "scheduler/engine/redrive/redrive_state.h"
#include "scheduler/engine/redrive/calls.h"

#include "scheduler/engine/queues/engine_queues.h"

#include "base/clock.h"
#include "base/mem.h"
#include "json/json_write.h"

#include <stdlib.h>

enum {
    CLOSED_MAX    = 100,      /* targets; beyond that the oldest is forgotten */
    RULE_TEXT_MAX = 64 << 10, /* bytes */
};

/* --- memory ------------------------------------------------------------------------------------
 */

struct queue_redrive *redrive_find(const struct engine *engine, const struct queue *queue)
{
    struct queue_redrive *redrive = engine->redrives;
    while (redrive && redrive->queue != queue) redrive = redrive->next;
    return redrive;
}

/* As it is set and shown outside. */
static void rule_put(const Pb__RedriveRule *rule, struct buf *out)
{
    char text[TIME_TEXT_SIZE];
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_texts(&w, "errors", rule->errors, rule->n_errors);
    duration_format(rule->after_us, text);
    json_put_text(&w, "after", str_from(text));
    json_put_int(&w, "times", rule->times);
    if (rule->rate_count > 0) {
        duration_format(rule->rate_period_us, text);
        json_member(&w, "rate");
        json_begin_object(&w);
        json_put_int(&w, "count", rule->rate_count);
        json_put_text(&w, "per", str_from(text));
        json_end_object(&w);
    }
    json_put_bool(&w, "on_breaker_close", !rule->ignores_breakers);
    json_end_object(&w);
}

static void show(struct queue_redrive *redrive)
{
    struct queue *queue = redrive->queue;
    free(queue->redrive_json);
    queue->redrive_json = NULL;
    queue->is_redriving = redrive->row && redrive->row->sweep;
    if (!redrive->row || !redrive->row->rule) return;
    CLEANUP(buf_done) struct buf text = buf_init(RULE_TEXT_MAX);
    rule_put(redrive->row->rule, &text);
    queue->redrive_json = mem_dup(text.ptr, text.len);
}

status redrive_replace(struct queue_redrive *redrive, const Pb__QueueRedrive *row,
                       struct error *reterr)
{
    size_t size     = pb__queue_redrive__get_packed_size(row);
    uint8_t *packed = mem_new(size + 1, 1);
    (void)pb__queue_redrive__pack(row, packed);
    Pb__QueueRedrive *copy = pb__queue_redrive__unpack(NULL, size, packed);
    free(packed);
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (redrive->row) pb__queue_redrive__free_unpacked(redrive->row, NULL);
    redrive->row = copy;
    show(redrive);
    return STATUS_OK;
}

struct queue_redrive *redrive_at(struct engine *engine, struct queue *queue)
{
    struct queue_redrive *redrive = redrive_find(engine, queue);
    if (redrive) return redrive;
    redrive          = mem_new(1, sizeof *redrive);
    redrive->queue   = queue;
    redrive->next    = engine->redrives;
    engine->redrives = redrive;
    return redrive;
}

void engine_redrives_done(struct engine *engine)
{
    while (engine->redrives) {
        struct queue_redrive *redrive = engine->redrives;
        engine->redrives              = redrive->next;
        if (redrive->row) pb__queue_redrive__free_unpacked(redrive->row, NULL);
        free(redrive->queue->redrive_json);
        redrive->queue->redrive_json = NULL;
        free(redrive);
    }
}

Pb__QueueRedrive *engine_redrive_row(const struct engine *engine, const struct queue *queue)
{
    struct queue_redrive *redrive = redrive_find(engine, queue);
    if (!redrive || !redrive->row) return NULL;
    redrive->row->rate_full_us       = redrive->rate.full_us;
    redrive->row->sweep_rate_full_us = redrive->sweep_rate.full_us;
    if (redrive->row->sweep) redrive->row->sweep->last = redrive->sweep.last;
    return redrive->row;
}

/* --- what is set -------------------------------------------------------------------------------
 */

static void rate_set(const struct engine *engine, struct start_rate *rate, uint32_t count,
                     int64_t period_us)
{
    const struct queue_limits limits = {.rate_count = count, .rate_period_us = period_us};
    const struct queue_limits share =
        queue_limits_share(&limits, engine->partition->index, engine->partition->count);
    start_rate_set(rate, &share, engine->now_us);
}

static Pb__QueueRedrive row_of(const struct queue_redrive *redrive)
{
    return redrive->row ? *redrive->row : (Pb__QueueRedrive)PB__QUEUE_REDRIVE__INIT;
}

static void pass_begin(struct letter_pass *pass)
{
    *pass = (struct letter_pass){.is_on = true};
}

status engine_redrive_set(struct engine *engine, struct queue *queue, const Pb__RedriveRule *rule,
                          struct error *reterr)
{
    struct queue_redrive *redrive = redrive_at(engine, queue);
    Pb__RedriveRule copy          = rule ? *rule : (Pb__RedriveRule)PB__REDRIVE_RULE__INIT;
    Pb__QueueRedrive row          = row_of(redrive);
    row.rule                      = rule ? &copy : NULL;
    row.n_closed                  = rule ? row.n_closed : 0;
    TRY(redrive_replace(redrive, &row, reterr));
    redrive->aged = (struct letter_pass){};
    redrive->rate = (struct start_rate){};
    if (!rule) return STATUS_OK;
    pass_begin(&redrive->aged);
    rate_set(engine, &redrive->rate, rule->rate_count, rule->rate_period_us);
    return STATUS_OK;
}

status engine_redrive_sweep(struct engine *engine, struct queue *queue,
                            const Pb__RedriveSweep *sweep, struct error *reterr)
{
    struct queue_redrive *redrive = redrive_at(engine, queue);
    Pb__RedriveSweep copy         = *sweep;
    Pb__QueueRedrive row          = row_of(redrive);
    copy.until                    = engine->dead_next;
    copy.last                     = 0;
    row.sweep                     = &copy;
    TRY(redrive_replace(redrive, &row, reterr));
    pass_begin(&redrive->sweep);
    redrive->sweep_rate = (struct start_rate){};
    rate_set(engine, &redrive->sweep_rate, sweep->rate_count, sweep->rate_period_us);
    return STATUS_OK;
}

status engine_redrive_recover(struct engine *engine, struct queue *queue,
                              const Pb__QueueRedrive *row, struct error *reterr)
{
    if (!row) return STATUS_OK;
    struct queue_redrive *redrive = redrive_at(engine, queue);
    TRY(redrive_replace(redrive, row, reterr));
    redrive->rate.full_us       = row->rate_full_us;
    redrive->sweep_rate.full_us = row->sweep_rate_full_us;
    if (row->rule) {
        rate_set(engine, &redrive->rate, row->rule->rate_count, row->rule->rate_period_us);
        pass_begin(&redrive->aged);
        if (row->n_closed > 0) pass_begin(&redrive->closed);
    }
    if (row->sweep) {
        rate_set(engine, &redrive->sweep_rate, row->sweep->rate_count, row->sweep->rate_period_us);
        pass_begin(&redrive->sweep);
        redrive->sweep.last = row->sweep->last;
    }
    return STATUS_OK;
}

/* --- what is heard -----------------------------------------------------------------------------
 */

status engine_redrive_noted(struct engine *engine, const struct queue *queue,
                            Pb__DeadLetterRecord *letter, struct error *reterr)
{
    const Pb__LeasedJob *job   = letter->job->job;
    Pb__RedriveRecord *counted = NULL;
    TRY(engine_call_find(engine, str_from(job->run), str_from(job->idempotency_key), &counted,
                         reterr));
    if (counted) letter->redrives = counted->count;
    struct queue_redrive *redrive = redrive_find(engine, queue);
    if (!redrive || !redrive->row || !redrive->row->rule) return STATUS_OK;
    int64_t due_us      = letter->time_us + redrive->row->rule->after_us;
    bool is_first       = !redrive->aged.is_on || due_us < redrive->aged.due_us;
    redrive->aged.is_on = true;
    if (is_first) redrive->aged.due_us = due_us;
    return STATUS_OK;
}

/* With one more, and without the oldest if there are too many. */
static status add_closed(struct engine *engine, struct queue_redrive *redrive, str target,
                         struct error *reterr)
{
    Pb__QueueRedrive row    = *redrive->row;
    Pb__ClosedTarget one    = PB__CLOSED_TARGET__INIT;
    Pb__ClosedTarget **list = arena_alloc(engine->arena, (row.n_closed + 1) * sizeof *list);
    if (!list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    size_t from  = row.n_closed >= CLOSED_MAX ? row.n_closed - CLOSED_MAX + 1 : 0;
    size_t count = 0;
    for (size_t i = from; i < row.n_closed; i++) {
        if (!str_is(target, row.closed[i]->target)) list[count++] = row.closed[i];
    }
    one.target    = text_in(engine->arena, target);
    one.time_us   = engine->now_us;
    list[count++] = &one;
    row.closed    = list;
    row.n_closed  = count;
    return redrive_replace(redrive, &row, reterr);
}

status engine_redrive_closed(struct engine *engine, str target, struct error *reterr)
{
    for (struct queue_redrive *r = engine->redrives; r; r = r->next) {
        bool is_ruled = r->row && r->row->rule && !r->row->rule->ignores_breakers;
        if (!is_ruled || r->queue->dead_count == 0) continue;
        TRY(add_closed(engine, r, target, reterr));
        pass_begin(&r->closed);
        TRY(engine_queue_put(engine, r->queue, reterr));
    }
    return STATUS_OK;
}

int64_t engine_redrives_due_us(const struct engine *engine)
{
    int64_t due_us = INT64_MAX;
    for (const struct queue_redrive *r = engine->redrives; r; r = r->next) {
        const struct letter_pass *passes[] = {&r->aged, &r->closed, &r->sweep};
        for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
            if (passes[i]->is_on && passes[i]->due_us < due_us) due_us = passes[i]->due_us;
        }
    }
    return due_us;
}
