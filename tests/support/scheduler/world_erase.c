/* The journal without its contents still folds to how the run went. */
#include "support/scheduler/world.h"

#include "base/assert.h"
#include "scheduler/run/erase.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRY_BYTES_MAX = 64 << 20 };

struct erased {
    const struct world *world;
    struct buf payload; /* the last one */
};

static _Noreturn void stop(const struct world *world, const char *what, const struct error *error)
{
    (void)fprintf(stderr, "erasure: run %s: %s: %s\n", run_id(world->run), what, error->text);
    abort();
}

static status load(uint64_t payload, str *ret_text, void *context, struct error *reterr)
{
    struct erased *erased = context;
    ASSERT(payload > 0 && payload <= erased->world->payload_count);
    buf_clear(&erased->payload);
    TRY(erase_json(str_from(erased->world->payloads[payload - 1]), false, &erased->payload,
                   reterr));
    *ret_text = buf_str(&erased->payload);
    return STATUS_OK;
}

/* What has no contents does not lose any. */
static void check_empty(const struct world *world, const struct buf *entry)
{
    CLEANUP(buf_done) struct buf again = buf_init(ENTRY_BYTES_MAX);
    struct error error                 = {};
    if (erase_entry(bytes_from(buf_str(entry)), &again, &error) != STATUS_OK) {
        stop(world, "an erased entry", &error);
    }
    ASSERT(str_equal(buf_str(entry), buf_str(&again)));
}

void world_prove_erasure(const struct world *world)
{
    struct erased erased               = {.world = world, .payload = buf_init(ENTRY_BYTES_MAX)};
    const struct payload_store store   = {.load = load, .context = &erased};
    CLEANUP(buf_done) struct buf entry = buf_init(ENTRY_BYTES_MAX);
    CLEANUP(run_freep) struct run *run = run_new(str_from(run_id(world->run)), world->workflow);
    struct error error                 = {};
    for (size_t i = 0; i < world->entry_count; i++) {
        buf_clear(&entry);
        bytes whole = bytes_from(buf_str(&world->entries[i]));
        if (erase_entry(whole, &entry, &error) != STATUS_OK) stop(world, "an entry", &error);
        check_empty(world, &entry);
        bytes rest = bytes_from(buf_str(&entry));
        if (entry_replay(run, rest, &store, NULL, NULL, &error) != STATUS_OK) {
            stop(world, "replay", &error);
        }
    }
    ASSERT(run_status(run) == run_status(world->run));
    ASSERT(run_sequence(run) == run_sequence(world->run));
    buf_done(&erased.payload);
}
