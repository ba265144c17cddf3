#include "scheduler/engine/gather.h"

void gather_turned(struct gather *gather, size_t parts, int64_t begun_us, int64_t ended_us)
{
    int64_t patience_us = (ended_us - begun_us) / 2;
    if (patience_us > GATHER_US_MAX) patience_us = GATHER_US_MAX;
    gather->parts    = parts;
    gather->until_us = ended_us + patience_us;
}

size_t gather_enough(struct gather *gather, size_t waiting)
{
    size_t enough = (gather->parts + waiting) * GATHER_PERCENT / 100;
    if (enough < GATHER_PARTS_MIN || waiting >= enough) return 0;
    if (gather->rests == 0) return enough;
    gather->rests--;
    return 0;
}

void gather_met(struct gather *gather, bool is_met)
{
    if (is_met) {
        gather->misses = 0;
        return;
    }
    if (gather->misses < GATHER_MISSES_MAX) gather->misses++;
    gather->rests = 1U << gather->misses;
}
