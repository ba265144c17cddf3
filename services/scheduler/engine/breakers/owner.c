/*
 * The breakers themselves. A turn changes them as it goes; at its end each one that was changed is
 * written and told once.
 */
#include "base/log.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/breaker/target_name.h"
#include "scheduler/engine/breakers/breaker_view.h"
#include "scheduler/engine/breakers/breakers.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/usages/report_sources.h"

enum {
    ADVANCED_MAX = 10'000, /* in one turn */
    SOURCE_MAX   = 256,    /* bytes */
};

static struct breaker_settings settings_of(const struct engine *engine,
                                           const struct known_breaker *known)
{
    return breaker_rules_of(engine->options.breakers, known->name);
}

/* --- changes -----------------------------------------------------------------------------------
 */

static void log_state(const struct known_breaker *known)
{
    const struct breaker *breaker = &known->breaker;
    log_write(breaker->state == BREAKER_CLOSED ? LOG_INFO : LOG_WARN, "breaker.changed",
              LOG_STR("target", known->name),
              LOG_TEXT_OF("state", breaker_state_name(breaker->state)),
              LOG_BOOLEAN("forced", breaker->is_forced));
}

/* Something has changed; `before`: the state that it had. */
static void changed(struct engine *engine, struct known_breaker *known, enum breaker_state before,
                    bool is_news)
{
    const struct breaker *breaker = &known->breaker;
    breakers_note(engine->breakers, known, is_news);
    if (breaker->state == before) return;
    if (breaker->state == BREAKER_OPEN) known->opened++;
    if (breaker->state == BREAKER_CLOSED) breaker_clear_asking(known);
    count_breaker_transition(engine->options.metrics, known->name,
                             breaker_state_name(breaker->state), breaker->state);
    log_state(known);
}

static void take_failures(struct engine *engine, struct known_breaker *known, uint32_t count)
{
    const struct breaker_settings settings = settings_of(engine, known);
    enum breaker_state before              = known->breaker.state;
    bool is_opened = breaker_fail(&known->breaker, &settings, count, engine->now_us);
    known->failed += count;
    count_breaker_failures(engine->options.metrics, known->name, count);
    changed(engine, known, before, is_opened);
}

static void take_probe_end(struct engine *engine, struct known_breaker *known, Pb__ProbeEnd end)
{
    const struct breaker_settings settings = settings_of(engine, known);
    enum breaker_state before              = known->breaker.state;
    enum probe_end what                    = PROBE_RETURNED;
    if (end == PB__PROBE_END__PROBE_END_SUCCEEDED) what = PROBE_SUCCEEDED;
    if (end == PB__PROBE_END__PROBE_END_FAILED) what = PROBE_FAILED;
    bool is_news = breaker_end_probe(&known->breaker, &settings, what, engine->now_us);
    changed(engine, known, before, is_news);
}

/* The breaker that a report is about; NULL: there is none, and nothing to remember. */
static struct known_breaker *breaker_for(struct engine *engine, const Pb__TargetReport *report)
{
    str name                    = str_from(report->target);
    struct known_breaker *known = breakers_find(engine->breakers, name);
    bool is_needed              = report->failures > 0 || report->rest_until_us > engine->now_us;
    if (known || !is_needed || !target_name_is_valid(name)) return known;
    known = breakers_at(engine->breakers, name);
    if (!known) log_write(LOG_WARN, "breaker.too_many", LOG_STR("target", name));
    return known;
}

static struct known_breaker *take_report(struct engine *engine, const Pb__TargetReport *report)
{
    struct known_breaker *known = breaker_for(engine, report);
    if (!known) return NULL;
    if (report->failures > 0) take_failures(engine, known, report->failures);
    if (breaker_hold(&known->breaker, report->rest_until_us, engine->now_us)) {
        changed(engine, known, known->breaker.state, true);
    }
    if (report->probe != PB__PROBE_END__PROBE_END_NONE) {
        take_probe_end(engine, known, report->probe);
    }
    return known;
}

status engine_take_breaker_report(struct engine *engine, const Pb__BreakerReport *report,
                                  struct error *)
{
    for (size_t i = 0; i < report->n_targets && engine->breakers; i++) {
        struct known_breaker *known = take_report(engine, report->targets[i]);
        bool asks                   = known && report->targets[i]->wants_probe &&
                    report->partition < PARTITIONS_MAX && known->breaker.state != BREAKER_CLOSED;
        if (!asks) continue;
        breaker_add_asking(known, (uint16_t)report->partition);
        breakers_note(engine->breakers, known, false);
    }
    return STATUS_OK;
}

/* --- commands ----------------------------------------------------------------------------------
 */

status engine_set_breaker(struct engine *engine, struct command *command, struct error *)
{
    const Pb__SetBreaker *request = command->request;
    str name                      = str_from(request->name);
    bool is_reset                 = request->action == PB__BREAKER_ACTION__BREAKER_ACTION_RESET;
    engine_answer(engine, command);
    struct known_breaker *known =
        is_reset ? breakers_find(engine->breakers, name) : breakers_at(engine->breakers, name);
    if (!known && is_reset) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "there is no circuit breaker %s", request->name);
    }
    if (!known) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "over %d circuit breakers", BREAKERS_MAX);
    }
    enum breaker_state before = known->breaker.state;
    bool is_news              = is_reset ? breaker_reset(&known->breaker, engine->now_us)
                                         : breaker_open(&known->breaker, engine->now_us);
    changed(engine, known, before, is_news);
    if (is_news) {
        log_write(LOG_INFO, "breaker.set", LOG_STR("target", name), LOG_TEXT_OF("by", request->by));
    }
    const struct breaker_settings settings = settings_of(engine, known);
    breaker_view_fill(known, &settings, engine->now_us, command->response);
    ((Pb__BreakerView *)command->response)->name = request->name;
    return STATUS_OK;
}

/* Nothing has happened to it; by which settings it will go is known. */
static void fill_fresh(const struct engine *engine, const char *target, Pb__BreakerView *ret_view)
{
    const struct known_breaker fresh       = {.name = str_from(target)};
    const struct breaker_settings settings = settings_of(engine, &fresh);
    breaker_view_fill(&fresh, &settings, engine->now_us, ret_view);
}

/* Whether what it says is not counted yet. */
static status take_number(struct engine *engine, const Pb__BreakerReport *report, bool *ret_is_new,
                          struct error *reterr)
{
    CLEANUP(buf_done) struct buf source = buf_init(SOURCE_MAX);
    uint64_t last                       = 0;
    *ret_is_new                         = true;
    if (report->number == 0) return STATUS_OK; /* nothing to count, or of an older llm-proxy */
    (void)buf_printf(&source, "breakers:%s", report->holder);
    TRY(report_source_take(engine, buf_str(&source), report->number, &last, reterr));
    *ret_is_new = last < report->number;
    return STATUS_OK;
}

/* Of calls that are no jobs: they ask for a probe when they need it, and get it at once or not. */
status engine_report_breakers(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__BreakerReport *request = command->request;
    Pb__BreakerList *answer          = command->response;
    size_t count                     = request->n_targets;
    bool is_new                      = false;
    engine_answer(engine, command);
    TRY(take_number(engine, request, &is_new, reterr));
    answer->breakers       = arena_alloc(command->arena, (count + 1) * sizeof *answer->breakers);
    Pb__BreakerView *views = arena_alloc(command->arena, (count + 1) * sizeof *views);
    if (!answer->breakers || !views) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "too many targets");
    }
    for (size_t i = 0; i < count; i++) {
        const Pb__TargetReport *report = request->targets[i];
        struct known_breaker *known =
            is_new ? take_report(engine, report)
                   : breakers_find(engine->breakers, str_from(report->target));
        Pb__BreakerView *view = &views[i];
        bool may_go =
            known && report->wants_probe && breaker_take_probe(&known->breaker, engine->now_us);
        if (may_go) breakers_note(engine->breakers, known, false);
        if (known) {
            const struct breaker_settings settings = settings_of(engine, known);
            breaker_view_fill(known, &settings, engine->now_us, view);
        } else {
            fill_fresh(engine, report->target, view);
        }
        view->name          = report->target;
        view->probe         = may_go;
        answer->breakers[i] = view;
    }
    answer->n_breakers = count;
    return STATUS_OK;
}

/* --- telling -----------------------------------------------------------------------------------
 */

static status tell(struct engine *engine, const struct known_breaker *known, uint16_t partition,
                   bool is_probe, struct error *reterr)
{
    Pb__BreakerNews news = PB__BREAKER_NEWS__INIT;
    news.target          = text_in(engine->arena, known->name);
    news.state           = (Pb__BreakerState)known->breaker.state;
    news.held_until_us   = known->breaker.held_until_us;
    news.probe           = is_probe;
    if (partition == engine->partition->index) {
        return engine_take_breaker_news(engine, &news, reterr);
    }
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_BREAKER_NEWS;
    message.breaker_news = &news;
    return engine_tell(engine, partition, &message, reterr);
}

static status put_row(struct engine *engine, const struct known_breaker *known,
                      struct error *reterr)
{
    struct key key;
    Pb__BreakerRecord record;
    breaker_key(&key, known->name);
    TRY(breaker_record_make(known, engine->arena, &record, reterr));
    return record_put(engine->txn, TABLE_BREAKERS, key_bytes(&key), &record.base, reterr);
}

/* Who has waited may send one call: one partition at a time. */
static status grant_probe(struct engine *engine, struct known_breaker *known, struct error *reterr)
{
    uint16_t partition          = 0;
    struct known_breaker before = *known;
    if (known->breaker.state != BREAKER_HALF_OPEN) return STATUS_OK;
    if (!breaker_take_asking(known, &partition)) return STATUS_OK;
    if (breaker_take_probe(&known->breaker, engine->now_us)) {
        breakers_note(engine->breakers, known, false);
        return tell(engine, known, partition, true, reterr);
    }
    memcpy(known->asking, before.asking, sizeof known->asking); /* later */
    return STATUS_OK;
}

static status settle(struct engine *engine, struct known_breaker *known, struct error *reterr)
{
    uint16_t count = known->is_news ? engine->partition->count : 0;
    known->is_news = false;
    for (uint16_t i = 0; i < count; i++) TRY(tell(engine, known, i, false, reterr));
    TRY(grant_probe(engine, known, reterr));
    return put_row(engine, known, reterr);
}

/* Nothing has happened to it for long, and nothing is left to remember. */
static status forget(struct engine *engine, struct known_breaker *known, struct error *reterr)
{
    struct key key;
    breaker_key(&key, known->name);
    status deleted = txn_delete(engine->txn, TABLE_BREAKERS, key_bytes(&key), NULL);
    if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
        return fail(reterr, deleted, "the row of a breaker cannot be deleted");
    }
    breakers_drop(engine->breakers, known);
    return STATUS_OK;
}

/* Once an hour: breakers of targets that are fine again do not stay for ever. */
static status sweep(struct engine *engine, struct error *reterr)
{
    enum { HOUR_S = 3'600 };
    size_t cursor = 0;
    struct known_breaker *known;
    if (engine->now_us < engine->breaker_sweep_us) return STATUS_OK;
    engine->breaker_sweep_us = engine->now_us + HOUR_S * INT64_C(1'000'000);
    while ((known = breakers_next(engine->breakers, &cursor))) {
        bool is_old  = engine->now_us - known->breaker.changed_us > BREAKER_KEPT_US;
        bool is_fine = breaker_lets_pass(&known->breaker, engine->now_us) && !known->is_changed;
        if (is_old && is_fine) TRY(forget(engine, known, reterr));
    }
    return STATUS_OK;
}

status engine_owner_settle(struct engine *engine, struct error *reterr)
{
    struct known_breaker *known = NULL;
    for (int i = 0; i < ADVANCED_MAX; i++) {
        known = breakers_due(engine->breakers, engine->now_us);
        if (!known) break;
        enum breaker_state before = known->breaker.state;
        bool is_news              = breaker_advance(&known->breaker, engine->now_us);
        changed(engine, known, before, is_news);
    }
    while ((known = breakers_take_changed(engine->breakers))) {
        TRY(settle(engine, known, reterr));
    }
    return sweep(engine, reterr);
}
