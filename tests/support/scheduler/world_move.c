/* The journal under other numbers folds to the same run. */
#include "support/scheduler/world.h"

#include "base/assert.h"
#include "scheduler/run/renumber.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRY_BYTES_MAX = 64 << 20, BASE = 1'000, PREVIOUS = 77 };

static _Noreturn void stop(const struct world *world, const char *what, const struct error *error)
{
    (void)fprintf(stderr, "moving: run %s: %s: %s\n", run_id(world->run), what, error->text);
    abort();
}

static status load(uint64_t payload, str *ret_text, void *context, struct error *)
{
    const struct world *world = context;
    ASSERT(payload > BASE && payload <= BASE + world->payload_count);
    *ret_text = str_from(world->payloads[payload - BASE - 1]);
    return STATUS_OK;
}

static status shift(uint64_t payload, const uint8_t *, uint64_t *ret_payload, void *context,
                    struct error *)
{
    const int64_t *base = context;
    *ret_payload        = payload + (uint64_t)*base;
    return STATUS_OK;
}

static void renumber(const struct world *world, bytes entry, uint64_t previous, int64_t base,
                     struct buf *out)
{
    const struct renumbering numbers = {.previous = previous, .payload = shift, .context = &base};
    struct error error               = {};
    buf_clear(out);
    if (entry_renumber(entry, &numbers, out, &error) != STATUS_OK) stop(world, "an entry", &error);
}

static void check_state(const struct world *world, struct run *moved)
{
    CLEANUP(buf_done) struct buf one   = buf_init(ENTRY_BYTES_MAX);
    CLEANUP(buf_done) struct buf other = buf_init(ENTRY_BYTES_MAX);
    struct error error                 = {};
    run_renumber_payloads(moved, -(uint64_t)BASE);
    if (run_snapshot_pack_inline(world->shadow, &one, &error) != STATUS_OK ||
        run_snapshot_pack_inline(moved, &other, &error) != STATUS_OK) {
        stop(world, "a snapshot", &error);
    }
    if (!str_equal(buf_str(&one), buf_str(&other))) stop(world, "another state", &error);
}

void world_prove_move(const struct world *world)
{
    const struct payload_store store   = {.load = load, .context = (void *)(uintptr_t)world};
    CLEANUP(buf_done) struct buf entry = buf_init(ENTRY_BYTES_MAX);
    CLEANUP(buf_done) struct buf back  = buf_init(ENTRY_BYTES_MAX);
    CLEANUP(run_freep) struct run *run = run_new(str_from(run_id(world->run)), world->workflow);
    struct error error                 = {};
    for (size_t i = 0; i < world->entry_count; i++) {
        const bytes whole          = bytes_from(buf_str(&world->entries[i]));
        struct entry_header header = {};
        renumber(world, whole, PREVIOUS, BASE, &entry);
        const bytes moved = bytes_from(buf_str(&entry));
        if (entry_read_header(moved, &header, &error) != STATUS_OK || header.previous != PREVIOUS ||
            entry_replay(run, moved, &store, NULL, NULL, &error) != STATUS_OK) {
            stop(world, "replay", &error);
        }
        struct entry_header was = {};
        (void)entry_read_header(whole, &was, NULL);
        renumber(world, moved, was.previous, -BASE, &back);
        if (!str_equal(buf_str(&back), buf_str(&world->entries[i]))) {
            stop(world, "another entry comes back", &error);
        }
    }
    check_state(world, run);
}
