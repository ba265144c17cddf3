/**
 * breakers: all breakers of the system partition, in memory and as rows.
 *
 * A breaker is made when its target first fails, asks for rest or is opened by hand, and forgotten
 * when nothing has happened to it for BREAKER_KEPT_US. Which of them are due stands in a heap.
 *
 * Threads: the engine thread of the system partition; breaker_record_read() any.
 */
#ifndef SCHEDULER_BREAKER_BREAKERS_H
#define SCHEDULER_BREAKER_BREAKERS_H

#include "base/arena.h"
#include "base/status.h"
#include "breaker.pb-c.h"
#include "fleet/breaker.h"
#include "scheduler/engine/heap.h"
#include "scheduler/engine/partition.h"

enum {
    BREAKERS_MAX       = 10'000,
    BREAKER_ASKING_MAX = PARTITIONS_MAX / 64, /* words */
};
#define BREAKER_KEPT_US INT64_C(86'400'000'000)

struct known_breaker {
    str name; /* owned */
    struct breaker breaker;
    uint64_t opened, failed;             /* how often, in all */
    uint64_t asking[BREAKER_ASKING_MAX]; /* bits: partitions that wait for a probe */

    /* This turn. */
    bool is_changed; /* its row is to be written */
    bool is_news;    /* all are to hear of it */
    struct known_breaker *next_changed;
    struct heap_link by_due;
};

struct breakers;

struct breakers *breakers_new(void); /* owned */
void breakers_free(struct breakers *breakers);

struct known_breaker *breakers_find(const struct breakers *breakers, str name);

/** Finds or makes it; NULL: BREAKERS_MAX. */
struct known_breaker *breakers_at(struct breakers *breakers, str name);
void breakers_drop(struct breakers *breakers, struct known_breaker *known);

/** Walks all; NULL at the end. `*cursor` begins at 0. */
struct known_breaker *breakers_next(const struct breakers *breakers, size_t *cursor);

/** It was changed: its row is to be written, and if `is_news`, all are to hear of it. */
void breakers_note(struct breakers *breakers, struct known_breaker *known, bool is_news);

/** Takes one that was changed out of the list; NULL: none is left. */
struct known_breaker *breakers_take_changed(struct breakers *breakers);

/** The one that is due by now; NULL: none. When the next one will be; INT64_MAX: never. */
struct known_breaker *breakers_due(const struct breakers *breakers, int64_t now_us);
int64_t breakers_due_us(const struct breakers *breakers);

/** Partitions that wait for a probe. */
void breaker_add_asking(struct known_breaker *known, uint16_t partition);
bool breaker_take_asking(struct known_breaker *known, uint16_t *ret_partition);
void breaker_clear_asking(struct known_breaker *known);

/** Rows. What is made lives as long as `arena`. */
status breaker_record_make(const struct known_breaker *known, struct arena *arena,
                           Pb__BreakerRecord *ret_record, struct error *reterr);
void breaker_record_read(const Pb__BreakerRecord *record, struct breaker *ret_breaker);

/** After breaker_record_read(), for a row of the system partition. */
void breakers_restore(struct breakers *breakers, struct known_breaker *known,
                      const Pb__BreakerRecord *record);

#endif
