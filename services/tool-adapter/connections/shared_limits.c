#include "tool-adapter/connections/shared_limits.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "breaker.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOLL_TICK_MS    = 500,
    TOLL_CROWDED_MS = 100,
    REFRESH_MS      = 1'000,
    USED_MS         = 10'000, /* a connection that was used within this time is asked for */
    TIMEOUT_MS      = 5'000,
    TARGETS_MAX     = 100, /* of one question */
    TARGET_SIZE     = sizeof "tool:" + CONNECTION_NAME_MAX,
    HOLDER_SIZE     = 128,
};

struct shared_limits {
    struct loop *loop;
    struct tollgates *tollgates;
    struct questions questions;
    char holder[HOLDER_SIZE];
    const struct toolbox *toolbox;
    struct loop_timer tick;
    size_t next; /* connection that is asked for first: more are in use than one question takes */
    bool is_asking;
};

struct shared_limits *shared_limits_new(struct loop *loop)
{
    struct shared_limits *limits           = mem_new(1, sizeof *limits);
    const struct tollgates_options options = {
        .loop = loop, .tick_ms = TOLL_TICK_MS, .crowded_ms = TOLL_CROWDED_MS, .is_patient = true};
    *limits = (struct shared_limits){
        .loop      = loop,
        .tollgates = tollgates_new(&options),
        .questions = {.loop = loop, .context = limits, .timeout_ms = TIMEOUT_MS}};
    return limits;
}

struct tollgates *shared_limits_tollgates(struct shared_limits *limits)
{
    return limits->tollgates;
}

void shared_limits_use(struct shared_limits *limits, const struct toolbox *toolbox)
{
    limits->toolbox = toolbox;
    limits->next    = 0;
}

/* --- rest ------------------------------------------------------------------------------------- */

static bool ask(struct shared_limits *limits, Pb__TargetReport **targets, size_t count,
                question_use_fn *use)
{
    Pb__BreakerReport message  = PB__BREAKER_REPORT__INIT;
    message.targets            = targets;
    message.n_targets          = count;
    message.holder             = limits->holder;
    struct rpc_request request = {
        .service = &pb__breakers__descriptor, .method = "Report", .message = &message};
    return question_ask(&limits->questions, NULL, &request, use);
}

static void name_target(const struct connection *connection, char ret_name[static TARGET_SIZE])
{
    (void)snprintf(ret_name, TARGET_SIZE, "tool:%s", connection->name);
}

static bool is_target(const char *name, const struct connection *connection)
{
    char own[TARGET_SIZE];
    name_target(connection, own);
    return strcmp(name, own) == 0;
}

/* Of connections that are in use now: they may have been read anew since it was asked. */
static void take_rests(const struct shared_limits *limits, const Pb__BreakerList *list)
{
    const struct connection *connection = NULL;
    int64_t now_us                      = clock_unix_us();
    for (size_t i = 0; (connection = toolbox_connection(limits->toolbox, i)); i++) {
        for (size_t k = 0; k < list->n_breakers; k++) {
            const Pb__BreakerView *view = list->breakers[k];
            if (!is_target(view->name, connection) || view->held_until_us <= now_us) continue;
            int64_t wait_ms = (view->held_until_us - now_us + 999) / 1'000;
            turnstile_rest(connection->turnstile, limits->loop, wait_ms);
        }
    }
}

static void on_told(void *, void *, const struct rpc_answer *)
{
    /* A rest that nobody hears holds here. */
}

static void on_heard(void *context, void *, const struct rpc_answer *answer)
{
    struct shared_limits *limits = context;
    limits->is_asking            = false;
    if (answer->message) take_rests(limits, answer->message);
}

void shared_limits_rest(struct shared_limits *limits, const struct connection *connection,
                        int64_t wait_ms)
{
    char name[TARGET_SIZE];
    Pb__TargetReport report     = PB__TARGET_REPORT__INIT;
    Pb__TargetReport *reports[] = {&report};
    if (!limits) return;
    name_target(connection, name);
    turnstile_rest(connection->turnstile, limits->loop, wait_ms);
    report.target        = name;
    report.rest_until_us = clock_unix_us() + wait_ms * 1'000;
    (void)ask(limits, reports, 1, on_told);
}

/* --- every second ----------------------------------------------------------------------------- */

static void refresh(struct shared_limits *limits)
{
    char names[TARGETS_MAX][TARGET_SIZE];
    Pb__TargetReport reports[TARGETS_MAX];
    Pb__TargetReport *list[TARGETS_MAX];
    size_t count                        = 0;
    size_t at                           = limits->next;
    const struct connection *connection = NULL;
    while (count < TARGETS_MAX && (connection = toolbox_connection(limits->toolbox, at))) {
        at++;
        if (!turnstile_was_used(connection->turnstile, USED_MS)) continue;
        name_target(connection, names[count]);
        reports[count]        = (Pb__TargetReport)PB__TARGET_REPORT__INIT;
        reports[count].target = names[count];
        list[count]           = &reports[count];
        count++;
    }
    limits->next = count < TARGETS_MAX ? 0 : at;
    if (count > 0) limits->is_asking = ask(limits, list, count, on_heard);
}

static void on_tick(void *context)
{
    struct shared_limits *limits = context;
    if (!limits->is_asking) refresh(limits);
    loop_timer_set(limits->loop, &limits->tick, loop_now_ms(limits->loop) + REFRESH_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

void shared_limits_open(struct shared_limits *limits, struct rpc_client *scheduler,
                        const char *name)
{
    (void)snprintf(limits->holder, sizeof limits->holder, "%.80s#%016" PRIx64, name, random_u64());
    limits->questions.scheduler = scheduler;
    limits->tick                = (struct loop_timer){.fire = on_tick, .context = limits};
    loop_timer_set(limits->loop, &limits->tick, 0);
    tollgates_open(limits->tollgates, scheduler, limits->holder);
}

void shared_limits_close(struct shared_limits *limits)
{
    if (!limits || !limits->questions.scheduler) return;
    loop_timer_clear(limits->loop, &limits->tick);
    tollgates_close(limits->tollgates);
    limits->questions.scheduler = NULL;
}

void shared_limits_freep(struct shared_limits **limits)
{
    if (!*limits) return;
    tollgates_freep(&(*limits)->tollgates);
    free(*limits);
    *limits = NULL;
}
