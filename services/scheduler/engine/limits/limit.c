#include "scheduler/engine/limits/limit.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/queues/line.h"

#include <stdlib.h>

enum { HOLDERS_MAX = 1'000, CARE_STEP_US = 1'000'000, WATCHED_PIECE = 1'000 };

struct limits {
    struct map *by_name; /* struct limit, owned */
    struct heap throttled;
    bool is_owner;
    uint16_t partitions;
    int64_t care_us; /* INT64_MAX: not wanted */
    struct limit *first_changed, *first_unshown;
    struct limit *first_watched, *last_watched;
    size_t watched_count, watched_left; /* left: to be noted, since one has opened or shut */
};

/* --- all ---------------------------------------------------------------------------------------
 */

static struct limit *limit_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct limit, opening);
    return (struct limit *)place;
}

static int64_t opens_us(const struct heap_link *link)
{
    return start_rate_opens_us(&limit_of(link)->rate);
}

static bool opens_before(const struct heap_link *a, const struct heap_link *b)
{
    return opens_us(a) < opens_us(b);
}

struct limits *limits_new(bool is_owner, uint16_t partitions)
{
    struct limits *limits = mem_new(1, sizeof *limits);
    limits->by_name       = map_new(LIMITS_MAX);
    limits->throttled     = heap_init(opens_before);
    limits->is_owner      = is_owner;
    limits->partitions    = partitions;
    limits->care_us       = INT64_MAX;
    return limits;
}

static void limit_free(struct limit *limit)
{
    for (size_t i = 0; i < limit->holder_count; i++) free(limit->holders[i].name);
    free(limit->holders);
    free(limit->shares);
    free((char *)(uintptr_t)limit->name.ptr);
    free(limit);
}

void limits_free(struct limits *limits)
{
    if (!limits) return;
    size_t cursor = 0;
    struct limit *limit;
    while ((limit = limits_next(limits, &cursor))) limit_free(limit);
    map_free(limits->by_name);
    heap_done(&limits->throttled);
    free(limits);
}

bool limits_is_owner(const struct limits *limits)
{
    return limits->is_owner;
}

struct limit *limits_find(const struct limits *limits, str name)
{
    return map_get(limits->by_name, name);
}

struct limit *limits_at(struct limits *limits, str name)
{
    struct limit *limit = limits_find(limits, name);
    if (limit || name.len > LIMIT_NAME_MAX) return limit;
    limit          = mem_new(1, sizeof *limit);
    limit->name    = (str){mem_dup(name.ptr, name.len), name.len};
    limit->all     = limits;
    limit->is_open = true;
    if (map_put(limits->by_name, limit->name, limit)) return limit;
    limit_free(limit);
    return NULL;
}

struct limit *limits_next(const struct limits *limits, size_t *cursor)
{
    void *limit = NULL;
    return map_next(limits->by_name, cursor, NULL, &limit) ? limit : NULL;
}

size_t limits_count(const struct limits *limits)
{
    return map_count(limits->by_name);
}

bool limit_needs_row(const struct limits *limits, const struct limit *limit, int64_t now_us)
{
    if (limit->is_set) return true;
    if (!limits->is_owner) return limit->given > 0;
    bool is_wanted = false;
    for (uint16_t i = 0; limit->shares && i < limits->partitions; i++) {
        is_wanted |= limit->shares[i].wanted > 0;
    }
    return is_wanted || limit->away > 0 || (limit->rate.count > 0 && limit->rate.full_us > now_us);
}

bool limits_drop(struct limits *limits, struct limit *limit, int64_t now_us)
{
    bool is_needed = limit->first_line || limit->is_watched || limit->used > 0 ||
                     limit->is_changed || limit->is_unshown || limit->has_row ||
                     limit_needs_row(limits, limit, now_us);
    if (is_needed) return false;
    if (heap_has(&limit->opening)) heap_remove(&limits->throttled, &limit->opening);
    void *removed = map_remove(limits->by_name, limit->name);
    ASSERT(removed == limit);
    limit_free(limit);
    return true;
}

/* --- permits -----------------------------------------------------------------------------------
 */

bool limit_has_rule(const struct limit *limit)
{
    return limit->rule.concurrency > 0 || limit->rule.rate_count > 0;
}

static bool may_start(const struct limits *limits, const struct limit *limit)
{
    if (!limit_has_rule(limit)) return true;
    if (!limits->is_owner) return limit->given > limit->used;
    uint64_t out = (uint64_t)limit->used + limit->away;
    bool is_full = limit->rule.concurrency > 0 && out >= limit->rule.concurrency;
    return !is_full && !heap_has(&limit->opening);
}

void limit_unshow(struct limit *limit)
{
    if (limit->is_unshown) return;
    limit->is_unshown         = true;
    limit->next_unshown       = limit->all->first_unshown;
    limit->all->first_unshown = limit;
}

struct limit *limits_take_unshown(struct limits *limits)
{
    struct limit *limit = limits->first_unshown;
    if (!limit) return NULL;
    limits->first_unshown = limit->next_unshown;
    limit->is_unshown     = false;
    limit->next_unshown   = NULL;
    return limit;
}

void limit_count_waiting(struct limit *limit, int step)
{
    limit->waiting_count += (size_t)step;
    limit_unshow(limit);
    if (!limit->all->is_owner) limit_note(limit->all, limit);
}

void limit_refresh(struct limits *limits, struct limit *limit)
{
    bool is_open = may_start(limits, limit);
    limit_unshow(limit);
    if (limit->is_open == is_open) return;
    limit->is_open       = is_open;
    limits->watched_left = limits->watched_count;
    for (struct line *line = limit->first_line; line; line = line->limit_next) line_settle(line);
}

static void throttle(struct limits *limits, struct limit *limit, int64_t now_us)
{
    bool is_in     = heap_has(&limit->opening);
    bool is_closed = start_rate_opens_us(&limit->rate) > now_us;
    if (is_closed && is_in) {
        heap_move(&limits->throttled, &limit->opening);
    } else if (is_closed) {
        heap_add(&limits->throttled, &limit->opening);
    } else if (is_in) {
        heap_remove(&limits->throttled, &limit->opening);
    }
}

void limit_set(struct limits *limits, struct limit *limit, const struct queue_limits *rule,
               int64_t now_us)
{
    limit->rule = *rule;
    if (limits->is_owner) {
        start_rate_set(&limit->rate, rule, now_us);
        throttle(limits, limit, now_us);
    }
    limit_note(limits, limit);
    limit_refresh(limits, limit);
}

uint32_t limit_room(const struct limits *limits, const struct limit *limit, uint32_t most,
                    int64_t now_us)
{
    uint64_t out = (uint64_t)limit->used + limit->away;
    if (!may_start(limits, limit)) return 0;
    if (limit->rule.concurrency > 0 && limit->rule.concurrency - out < most) {
        most = (uint32_t)(limit->rule.concurrency - out);
    }
    uint32_t tokens = start_rate_tokens(&limit->rate, now_us);
    return limit->rate.count > 0 && tokens < most ? tokens : most;
}

void limit_use(struct limits *limits, struct limit *limit)
{
    limit->used++;
    limit_refresh(limits, limit);
}

void limit_end(struct limits *limits, struct limit *limit)
{
    ASSERT(limit->used > 0);
    limit->used--;
    if (!limits->is_owner && limit->given > 0) {
        limit->given--;
        limit->ended++;
        limit_note(limits, limit);
    }
    bool others_wait = limits->is_owner && limit->shares;
    if (others_wait) limit_note(limits, limit);
    limit_refresh(limits, limit);
}

static void take_tokens(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us)
{
    if (limit->rate.count == 0) return;
    start_rate_take(&limit->rate, count, now_us);
    throttle(limits, limit, now_us);
    limit_note(limits, limit);
}

void limit_start(struct limits *limits, struct limit *limit, int64_t now_us)
{
    limit_spend(limits, limit, 1, now_us);
}

void limit_spend(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us)
{
    if (limits->is_owner) take_tokens(limits, limit, count, now_us);
    limit_refresh(limits, limit);
}

static void return_tokens(struct limits *limits, struct limit *limit, uint32_t count,
                          int64_t now_us)
{
    if (limit->rate.count == 0) return;
    start_rate_return(&limit->rate, count, now_us);
    throttle(limits, limit, now_us);
}

void limit_unspend(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us)
{
    if (limits->is_owner) return_tokens(limits, limit, count, now_us);
    limit_note(limits, limit);
    limit_refresh(limits, limit);
}

void limit_owe(struct limits *limits, struct limit *limit, int64_t full_us, int64_t now_us)
{
    if (!limits->is_owner || limit->rate.count == 0) return;
    limit->rate.full_us = full_us;
    throttle(limits, limit, now_us);
    limit_refresh(limits, limit);
}

void limit_give(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us)
{
    limit->away += count;
    take_tokens(limits, limit, count, now_us);
    limit_note(limits, limit);
    limit_refresh(limits, limit);
}

void limit_take_back(struct limits *limits, struct limit *limit, uint32_t ended, uint32_t unused,
                     int64_t now_us)
{
    ASSERT(limit->away >= ended + unused);
    limit->away -= ended + unused;
    return_tokens(limits, limit, unused, now_us);
    limit_note(limits, limit);
    limit_refresh(limits, limit);
}

void limit_receive(struct limits *limits, struct limit *limit, uint32_t count)
{
    limit->given += count;
    limit->wanted        = limit->wanted > count ? limit->wanted - count : 0;
    limits->watched_left = limits->watched_count;
    limit_note(limits, limit);
    limit_refresh(limits, limit);
}

/* --- times and changes -------------------------------------------------------------------------
 */

void limits_advance(struct limits *limits, int64_t now_us)
{
    const struct heap_link *first = NULL;
    while ((first = heap_first(&limits->throttled)) && opens_us(first) <= now_us) {
        struct limit *limit = limit_of(first);
        heap_remove(&limits->throttled, &limit->opening);
        limit_note(limits, limit); /* others may wait for it */
        limit_refresh(limits, limit);
    }
}

int64_t limits_due_us(const struct limits *limits)
{
    const struct heap_link *first = heap_first(&limits->throttled);
    int64_t at_us                 = first ? opens_us(first) : INT64_MAX;
    if (limits->watched_left > 0) return 0;
    return limits->care_us < at_us ? limits->care_us : at_us;
}

void limits_want_care(struct limits *limits, int64_t now_us)
{
    if (limits->care_us == INT64_MAX) limits->care_us = now_us + CARE_STEP_US;
}

bool limits_take_care(struct limits *limits, int64_t now_us)
{
    if (limits->care_us > now_us) return false;
    limits->care_us = INT64_MAX;
    return true;
}

void limit_note(struct limits *limits, struct limit *limit)
{
    if (limit->is_changed) return;
    limit->is_changed     = true;
    limit->next_changed   = limits->first_changed;
    limits->first_changed = limit;
}

struct limit *limits_take_changed(struct limits *limits)
{
    struct limit *limit = limits->first_changed;
    if (!limit) return NULL;
    limits->first_changed = limit->next_changed;
    limit->is_changed     = false;
    limit->next_changed   = NULL;
    return limit;
}

struct limit *limits_first_changed(const struct limits *limits)
{
    return limits->first_changed;
}

bool limits_have_changed(const struct limits *limits)
{
    return limits->first_changed || limits->watched_left > 0;
}

/* --- limits within others -----------------------------------------------------------------------
 */

static bool is_limited(const struct line *line)
{
    return line->limit && limit_has_rule(line->limit);
}

uint64_t limit_usable(const struct limit *limit)
{
    uint64_t usable = 0;
    for (const struct line *line = limit->first_line; line; line = line->limit_next) {
        uint64_t most = line->waiting_count;
        for (const struct line *around = line->parent; around; around = around->parent) {
            if (!is_limited(around)) continue;
            const struct limit *outer = around->limit;
            uint64_t spare            = outer->given > outer->used ? outer->given - outer->used : 0;
            if (spare < most) most = spare;
        }
        usable += most;
    }
    return usable;
}

static bool stands_within(const struct limit *limit)
{
    for (const struct line *line = limit->first_line; line; line = line->limit_next) {
        for (const struct line *around = line->parent; around; around = around->parent) {
            if (is_limited(around)) return true;
        }
    }
    return false;
}

static void watch_last(struct limits *limits, struct limit *limit)
{
    limit->next_watched     = NULL;
    limit->previous_watched = limits->last_watched;
    if (limits->last_watched) limits->last_watched->next_watched = limit;
    if (!limits->first_watched) limits->first_watched = limit;
    limits->last_watched = limit;
}

static void unwatch(struct limits *limits, struct limit *limit)
{
    if (limit->previous_watched) limit->previous_watched->next_watched = limit->next_watched;
    if (limit->next_watched) limit->next_watched->previous_watched = limit->previous_watched;
    if (limits->first_watched == limit) limits->first_watched = limit->next_watched;
    if (limits->last_watched == limit) limits->last_watched = limit->previous_watched;
}

void limits_watch(struct limits *limits, struct limit *limit)
{
    bool waits = limit->waiting_count > 0 && stands_within(limit);
    if (waits == limit->is_watched) return;
    limit->is_watched = waits;
    if (waits) {
        watch_last(limits, limit);
        limits->watched_count++;
        return;
    }
    unwatch(limits, limit);
    limits->watched_count--;
    if (limits->watched_left > limits->watched_count) limits->watched_left = limits->watched_count;
}

/* In turns, so that each has one. */
void limits_note_watched(struct limits *limits)
{
    for (size_t i = 0; i < WATCHED_PIECE && limits->watched_left > 0; i++) {
        struct limit *limit = limits->first_watched;
        limits->watched_left--;
        unwatch(limits, limit);
        watch_last(limits, limit);
        limit_note(limits, limit);
    }
}

/* --- who has permits ---------------------------------------------------------------------------
 */

struct limit_share *limit_share_of(const struct limits *limits, struct limit *limit,
                                   uint16_t partition)
{
    ASSERT(partition < limits->partitions);
    if (!limit->shares) limit->shares = mem_new(limits->partitions, sizeof *limit->shares);
    return &limit->shares[partition];
}

struct limit_holder *limit_holder_of(struct limit *limit, str name, bool may_make)
{
    for (size_t i = 0; i < limit->holder_count; i++) {
        if (str_is(name, limit->holders[i].name)) return &limit->holders[i];
    }
    if (!may_make || limit->holder_count == HOLDERS_MAX) return NULL;
    limit->holders = mem_resize(limit->holders, limit->holder_count + 1, sizeof *limit->holders);
    struct limit_holder *holder = &limit->holders[limit->holder_count++];
    *holder                     = (struct limit_holder){.name = mem_dup(name.ptr, name.len)};
    return holder;
}

void limit_holder_drop(struct limit *limit, struct limit_holder *holder)
{
    free(holder->name);
    *holder = limit->holders[--limit->holder_count];
}
