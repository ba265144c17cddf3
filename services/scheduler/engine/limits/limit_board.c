#include "scheduler/engine/limits/limit_board.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"

#include <pthread.h>
#include <stdlib.h>

struct limit_board {
    pthread_mutex_t mutex; /* guards what follows */
    struct map *by_name;   /* struct shown, owned */
};

struct shown {
    char *name; /* owned */
    const char *source;
    struct queue_limits rule;
    struct start_rate rate;
    uint64_t used, waiting;
    int64_t opens_us;
    bool is_shut;
    bool is_set;
};

struct limit_board *limit_board_new(void)
{
    struct limit_board *board = mem_new(1, sizeof *board);
    int failed                = pthread_mutex_init(&board->mutex, NULL);
    ASSERT(!failed);
    board->by_name = map_new(LIMITS_MAX);
    return board;
}

static void lock(struct limit_board *board)
{
    int failed = pthread_mutex_lock(&board->mutex);
    ASSERT(!failed);
}

static void unlock(struct limit_board *board)
{
    int failed = pthread_mutex_unlock(&board->mutex);
    ASSERT(!failed);
}

static void shown_free(struct shown *shown)
{
    free(shown->name);
    free(shown);
}

static void clear(struct limit_board *board)
{
    size_t cursor = 0;
    void *shown   = NULL;
    while (map_next(board->by_name, &cursor, NULL, &shown)) shown_free(shown);
    map_free(board->by_name);
}

void limit_board_clear(struct limit_board *board)
{
    lock(board);
    clear(board);
    board->by_name = map_new(LIMITS_MAX);
    unlock(board);
}

void limit_board_free(struct limit_board *board)
{
    if (!board) return;
    clear(board);
    (void)pthread_mutex_destroy(&board->mutex);
    free(board);
}

/* --- the engine's side -------------------------------------------------------------------------
 */

static const char *source_of(const struct limit *limit)
{
    if (limit->is_set) return "api";
    if (str_starts_with(limit->name, str_from("key:"))) return "workflow";
    if (str_starts_with(limit->name, str_from("apikey:"))) return "api_key";
    return str_starts_with(limit->name, str_from("queue:")) ? "queue" : "configuration";
}

static int64_t opens_us(const struct limit *limit, int64_t now_us)
{
    int64_t at_us = start_rate_opens_us(&limit->rate);
    return at_us > now_us ? at_us : 0;
}

/* Of one that workers bring along: nobody sees its starts otherwise. */
static bool is_in_use(const struct limit *limit, int64_t now_us)
{
    static const char *const kinds[] = {"connection:", "host:", "llmkey:", "tokens:"};
    if (limit->rule.rate_count == 0 || limit->rate.full_us <= now_us) return false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_starts_with(limit->name, str_from(kinds[i]))) return true;
    }
    return false;
}

static void show(struct limit_board *board, const struct limit *limit, int64_t now_us)
{
    struct shown *shown = map_get(board->by_name, limit->name);
    bool is_shown = limit->is_set || limit->used + limit->away > 0 || limit->waiting_count > 0 ||
                    is_in_use(limit, now_us);
    if (!is_shown && shown) {
        (void)map_remove(board->by_name, limit->name);
        shown_free(shown);
    }
    if (!is_shown) return;
    if (!shown) {
        shown       = mem_new(1, sizeof *shown);
        shown->name = mem_dup(limit->name.ptr, limit->name.len);
        if (!map_put(board->by_name, limit->name, shown)) {
            shown_free(shown);
            return;
        }
    }
    shown->source   = source_of(limit);
    shown->rule     = limit->rule;
    shown->used     = (uint64_t)limit->used + limit->away;
    shown->waiting  = limit->waiting_count;
    shown->opens_us = opens_us(limit, now_us);
    shown->is_shut  = limit->waiting_count > 0 && !limit->is_open;
    shown->rate     = limit->rate;
    shown->is_set   = limit->is_set;
}

void limit_board_take(struct limit_board *board, struct limits *limits, int64_t now_us)
{
    struct limit *limit = limits_take_unshown(limits);
    if (!limit) return;
    if (board) lock(board);
    for (; limit; limit = limits_take_unshown(limits)) {
        if (board) show(board, limit, now_us);
        (void)limits_drop(limits, limit, now_us);
    }
    if (board) unlock(board);
}

/* --- the readers' side -------------------------------------------------------------------------
 */

static bool rule_put(const struct queue_limits *rule, struct arena *arena, Pb__LimitView *view)
{
    view->rule = arena_alloc(arena, sizeof *view->rule);
    if (!view->rule) return false;
    *view->rule                = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
    view->rule->concurrency    = rule->concurrency;
    view->rule->rate_count     = rule->rate_count;
    view->rule->rate_period_us = rule->rate_period_us;
    view->rule->rate_unit      = rule->rate_unit;
    return true;
}

/* Of a rate alone: the starts that it still counts. */
static uint64_t used_of(const struct queue_limits *rule, const struct start_rate *rate,
                        uint64_t used, int64_t now_us)
{
    bool is_rate = rule->concurrency == 0 && rule->rate_count > 0;
    if (!is_rate || used > 0) return used;
    uint32_t left = start_rate_tokens(rate, now_us);
    return rate->count > left ? rate->count - left : 0;
}

bool limit_view_fill(const struct limit *limit, int64_t now_us, struct arena *arena,
                     Pb__LimitView *ret_view)
{
    *ret_view        = (Pb__LimitView)PB__LIMIT_VIEW__INIT;
    ret_view->name   = limit->name.ptr;
    ret_view->source = source_of(limit);
    ret_view->used =
        used_of(&limit->rule, &limit->rate, (uint64_t)limit->used + limit->away, now_us);
    ret_view->waiting  = limit->waiting_count;
    ret_view->opens_us = opens_us(limit, now_us);
    ret_view->shut     = limit->waiting_count > 0 && !limit->is_open;
    return rule_put(&limit->rule, arena, ret_view);
}

/* A rate that nobody has used for so long is as if it was not there. */
static bool is_at_rest(const struct shown *shown, int64_t now_us)
{
    return !shown->is_set && shown->used == 0 && shown->waiting == 0 &&
           shown->rate.full_us <= now_us;
}

static Pb__LimitView *view_of(const struct shown *shown, int64_t now_us, struct arena *arena)
{
    Pb__LimitView *view = arena_alloc(arena, sizeof *view);
    if (!view) return NULL;
    *view          = (Pb__LimitView)PB__LIMIT_VIEW__INIT;
    view->name     = text_in(arena, str_from(shown->name));
    view->source   = shown->source;
    view->used     = used_of(&shown->rule, &shown->rate, shown->used, now_us);
    view->waiting  = shown->waiting;
    view->opens_us = shown->opens_us;
    view->shut     = shown->is_shut;
    return view->name && rule_put(&shown->rule, arena, view) ? view : NULL;
}

status limit_board_list(struct limit_board *board, str name, struct arena *arena,
                        Pb__LimitList *ret_list, struct error *reterr)
{
    Pb__LimitList list = PB__LIMIT_LIST__INIT;
    int64_t now_us     = clock_unix_us();
    size_t cursor      = 0;
    void *shown        = NULL;
    bool has_room      = true;
    lock(board);
    size_t count = name.len > 0 ? 1 : map_count(board->by_name);
    list.limits  = arena_alloc(arena, (count + 1) * sizeof *list.limits);
    has_room     = list.limits != NULL;
    if (has_room && name.len > 0) {
        shown = map_get(board->by_name, name);
        if (shown && !is_at_rest(shown, now_us)) {
            list.limits[list.n_limits++] = view_of(shown, now_us, arena);
        }
    }
    while (has_room && name.len == 0 && map_next(board->by_name, &cursor, NULL, &shown)) {
        if (is_at_rest(shown, now_us)) continue;
        list.limits[list.n_limits++] = view_of(shown, now_us, arena);
    }
    for (size_t i = 0; i < list.n_limits; i++) has_room = has_room && list.limits[i];
    unlock(board);
    if (!has_room) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many limits");
    *ret_list = list;
    return STATUS_OK;
}
