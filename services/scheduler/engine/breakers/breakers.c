#include "scheduler/engine/breakers/breakers.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>

struct breakers {
    struct map *by_name; /* struct known_breaker, owned */
    struct heap by_due;
    struct known_breaker *first_changed;
};

static struct known_breaker *known_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct known_breaker, by_due);
    return (struct known_breaker *)place;
}

static bool is_due_before(const struct heap_link *a, const struct heap_link *b)
{
    return breaker_due_us(&known_of(a)->breaker) < breaker_due_us(&known_of(b)->breaker);
}

struct breakers *breakers_new(void)
{
    struct breakers *breakers = mem_new(1, sizeof *breakers);
    breakers->by_name         = map_new(BREAKERS_MAX);
    breakers->by_due          = heap_init(is_due_before);
    return breakers;
}

static void known_free(struct known_breaker *known)
{
    free((char *)(uintptr_t)known->name.ptr);
    free(known);
}

void breakers_free(struct breakers *breakers)
{
    if (!breakers) return;
    size_t cursor = 0;
    struct known_breaker *known;
    while ((known = breakers_next(breakers, &cursor))) known_free(known);
    map_free(breakers->by_name);
    heap_done(&breakers->by_due);
    free(breakers);
}

struct known_breaker *breakers_find(const struct breakers *breakers, str name)
{
    return map_get(breakers->by_name, name);
}

struct known_breaker *breakers_at(struct breakers *breakers, str name)
{
    struct known_breaker *known = breakers_find(breakers, name);
    if (known) return known;
    known       = mem_new(1, sizeof *known);
    known->name = (str){mem_dup(name.ptr, name.len), name.len};
    if (!map_put(breakers->by_name, known->name, known)) {
        known_free(known);
        return NULL;
    }
    heap_add(&breakers->by_due, &known->by_due);
    return known;
}

void breakers_drop(struct breakers *breakers, struct known_breaker *known)
{
    ASSERT(!known->is_changed);
    void *removed = map_remove(breakers->by_name, known->name);
    ASSERT(removed == known);
    heap_remove(&breakers->by_due, &known->by_due);
    known_free(known);
}

struct known_breaker *breakers_next(const struct breakers *breakers, size_t *cursor)
{
    void *known = NULL;
    return map_next(breakers->by_name, cursor, NULL, &known) ? known : NULL;
}

void breakers_note(struct breakers *breakers, struct known_breaker *known, bool is_news)
{
    known->is_news |= is_news;
    heap_move(&breakers->by_due, &known->by_due);
    if (known->is_changed) return;
    known->is_changed       = true;
    known->next_changed     = breakers->first_changed;
    breakers->first_changed = known;
}

struct known_breaker *breakers_take_changed(struct breakers *breakers)
{
    struct known_breaker *known = breakers->first_changed;
    if (!known) return NULL;
    breakers->first_changed = known->next_changed;
    known->is_changed       = false;
    known->next_changed     = NULL;
    return known;
}

struct known_breaker *breakers_due(const struct breakers *breakers, int64_t now_us)
{
    return breakers_due_us(breakers) <= now_us ? known_of(heap_first(&breakers->by_due)) : NULL;
}

int64_t breakers_due_us(const struct breakers *breakers)
{
    const struct heap_link *first = heap_first(&breakers->by_due);
    return first ? breaker_due_us(&known_of(first)->breaker) : INT64_MAX;
}

/* --- who asks for a probe ----------------------------------------------------------------------
 */

void breaker_add_asking(struct known_breaker *known, uint16_t partition)
{
    ASSERT(partition < PARTITIONS_MAX);
    known->asking[partition / 64] |= UINT64_C(1) << (partition % 64);
}

bool breaker_take_asking(struct known_breaker *known, uint16_t *ret_partition)
{
    for (size_t i = 0; i < BREAKER_ASKING_MAX; i++) {
        if (known->asking[i] == 0) continue;
        int bit = __builtin_ctzll(known->asking[i]);
        known->asking[i] &= known->asking[i] - 1;
        *ret_partition = (uint16_t)(i * 64 + (size_t)bit);
        return true;
    }
    return false;
}

void breaker_clear_asking(struct known_breaker *known)
{
    memset(known->asking, 0, sizeof known->asking);
}

/* --- rows --------------------------------------------------------------------------------------
 */

static size_t list_asking(const struct known_breaker *known, uint32_t *ret_list)
{
    size_t count = 0;
    for (uint32_t i = 0; i < PARTITIONS_MAX; i++) {
        bool asks = known->asking[i / 64] >> (i % 64) & 1;
        if (asks && ret_list) ret_list[count] = i;
        if (asks) count++;
    }
    return count;
}

status breaker_record_make(const struct known_breaker *known, struct arena *arena,
                           Pb__BreakerRecord *ret_record, struct error *reterr)
{
    const struct breaker *breaker = &known->breaker;
    size_t asking                 = list_asking(known, NULL);
    uint32_t *partitions          = arena_alloc(arena, (asking + 1) * sizeof *partitions);
    if (!partitions) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    (void)list_asking(known, partitions);
    *ret_record                = (Pb__BreakerRecord)PB__BREAKER_RECORD__INIT;
    ret_record->state          = (Pb__BreakerState)breaker->state; /* the same numbers */
    ret_record->forced         = breaker->is_forced;
    ret_record->since_us       = breaker->since_us;
    ret_record->half_open_us   = breaker->half_open_us;
    ret_record->probe_until_us = breaker->probe_until_us;
    ret_record->successes      = breaker->successes;
    ret_record->held_until_us  = breaker->held_until_us;
    ret_record->changed_us     = breaker->changed_us;
    ret_record->n_failed_us    = breaker->failure_count;
    ret_record->failed_us      = (int64_t *)(uintptr_t)breaker->failed_us; /* only packed */
    ret_record->n_asking       = asking;
    ret_record->asking         = partitions;
    ret_record->opened         = known->opened;
    ret_record->failed         = known->failed;
    return STATUS_OK;
}

void breaker_record_read(const Pb__BreakerRecord *record, struct breaker *ret_breaker)
{
    bool is_known = (int)record->state >= 0 && (int)record->state <= BREAKER_HALF_OPEN;
    size_t failed = record->n_failed_us;
    if (failed > BREAKER_FAILURES_MAX) failed = BREAKER_FAILURES_MAX;
    *ret_breaker = (struct breaker){
        .state          = is_known ? (enum breaker_state)record->state : BREAKER_CLOSED,
        .is_forced      = record->forced,
        .since_us       = record->since_us,
        .half_open_us   = record->half_open_us,
        .probe_until_us = record->probe_until_us,
        .successes      = record->successes,
        .held_until_us  = record->held_until_us,
        .changed_us     = record->changed_us,
        .failure_count  = (uint32_t)failed,
    };
    if (failed > 0) memcpy(ret_breaker->failed_us, record->failed_us, failed * sizeof(int64_t));
}

void breakers_restore(struct breakers *breakers, struct known_breaker *known,
                      const Pb__BreakerRecord *record)
{
    breaker_record_read(record, &known->breaker);
    known->opened = record->opened;
    known->failed = record->failed;
    breaker_clear_asking(known);
    for (size_t i = 0; i < record->n_asking; i++) {
        if (record->asking[i] < PARTITIONS_MAX) {
            breaker_add_asking(known, (uint16_t)record->asking[i]);
        }
    }
    heap_move(&breakers->by_due, &known->by_due);
}
