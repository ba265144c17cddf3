#include "fleet/sums.h"

#include <stdbool.h>
#include <string.h>

/* --- queues ------------------------------------------------------------------------------------
 */

static Pb__QueueView *find_queue(const struct queue_sum *sum, const char *name)
{
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->items[i]->name, name) == 0) return sum->items[i];
    }
    return NULL;
}

static void add_counts(Pb__QueueView *sum, const Pb__QueueView *row)
{
    sum->depth += row->depth;
    sum->delayed += row->delayed;
    sum->held += row->held;
    sum->running += row->running;
    sum->dead_letters += row->dead_letters;
    sum->completed_per_second += row->completed_per_second;
    sum->failed_per_second += row->failed_per_second;
    if (row->workers > sum->workers) sum->workers = row->workers; /* the same ones, mostly */
    sum->slots += row->slots;
    if (row->external_slots > sum->external_slots) sum->external_slots = row->external_slots;
    bool is_older = row->oldest_us > 0 && row->oldest_us < sum->oldest_us;
    if (sum->oldest_us == 0 || is_older) sum->oldest_us = row->oldest_us;
}

static void add_settings(Pb__QueueView *sum, const Pb__QueueView *row)
{
    if (sum->concurrency == 0) sum->concurrency = row->concurrency;
    if (sum->rate_count == 0) {
        sum->rate_count     = row->rate_count;
        sum->rate_period_us = row->rate_period_us;
    }
    if (sum->key_concurrency == 0) sum->key_concurrency = row->key_concurrency;
    if (sum->key_rate_count == 0) {
        sum->key_rate_count     = row->key_rate_count;
        sum->key_rate_period_us = row->key_rate_period_us;
    }
    if (!*sum->redrive_json) sum->redrive_json = row->redrive_json;
}

void queue_sum_add(struct queue_sum *sum, Pb__QueueView *row)
{
    Pb__QueueView *found = find_queue(sum, row->name);
    if (!found) {
        if (sum->count < SUM_NAMES_MAX) sum->items[sum->count++] = row;
        return;
    }
    add_counts(found, row);
    add_settings(found, row);
    found->paused    = found->paused && row->paused;
    found->purging   = found->purging || row->purging;
    found->redriving = found->redriving || row->redriving;
}

/* --- workers -----------------------------------------------------------------------------------
 */

void worker_sum_add(struct worker_sum *sum, Pb__WorkerStatus *row)
{
    for (size_t i = 0; i < sum->count; i++) {
        Pb__WorkerStatus *found = sum->items[i];
        if (strcmp(found->name, row->name) != 0) continue;
        bool is_external = strcmp(row->kind, "external") == 0; /* it tells all the same */
        if (!is_external) found->slots += row->slots;
        if (is_external && row->slots > found->slots) found->slots = row->slots;
        found->busy += row->busy;
        found->draining = found->draining || row->draining;
        if (found->instance == 0) found->instance = row->instance;
        if (row->last_seen_us > found->last_seen_us) found->last_seen_us = row->last_seen_us;
        return;
    }
    if (sum->count < SUM_NAMES_MAX) sum->items[sum->count++] = row;
}
