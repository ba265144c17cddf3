/*
 * What the engine core costs without store and network: a run of ten `set` tasks, decided, applied
 * and packed into its journal entry; and the same entry replayed.
 *
 *     build/release/bin/core_bench [runs]
 */
#include "base/clock.h"
#include "base/random.h"
#include "support/scheduler/world.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS_DEFAULT = 20'000, ENTRY_BYTES_MAX = 1 << 20 };

static const char ten_sets[] = "do:\n"
                               "  - a1: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a2: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a3: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a4: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a5: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a6: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a7: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a8: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a9: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n"
                               "  - a10: {set: {n: '${ .n + 1 }', name: '${ .name }'}}\n";

static void check(status code, const struct error *error)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "%s\n", error->text);
    exit(1);
}

struct bench {
    struct world world;
    json input;
    struct buf entry;
};

/* One run from its start to the bytes that would be committed. */
static void run_once(struct bench *bench)
{
    struct world *world = &bench->world;
    struct error error  = {};
    const struct id id  = id_next(&world->ids, world->env.now_us / 1000, 0);
    struct run *run     = run_new(str_from(id.text), world->workflow);
    buf_clear(&bench->entry);
    const struct run_start command = {.input = bench->input, .priority = PRIORITY_INHERIT};
    check(run_start(run, &world->env, &command, &world->events, &error), &error);
    check(entry_pack(run, world->events.items, world->events.count, 0, &world->store, &bench->entry,
                     &error),
          &error);
    event_list_clear(&world->events);
    if (run_status(run) != RUN_COMPLETED) exit(1);
    run_free(run);
}

static void replay_once(struct bench *bench, str id)
{
    struct error error = {};
    struct run *run    = run_new(id, bench->world.workflow);
    check(entry_replay(run, bytes_from(buf_str(&bench->entry)), &bench->world.store, NULL, NULL,
                       &error),
          &error);
    run_free(run);
}

int main(int argc, char **argv)
{
    long runs          = argc > 1 ? strtol(argv[1], NULL, 10) : RUNS_DEFAULT;
    struct bench bench = {.entry = buf_init(ENTRY_BYTES_MAX)};
    struct error error = {};
    world_init(&bench.world, ten_sets);
    check(json_parse(str_from("{\"n\": 1, \"name\": \"ten sets\"}"), NULL, &bench.input, NULL,
                     &error),
          &error);

    int64_t start_us = clock_mono_us();
    for (long i = 0; i < runs; i++) run_once(&bench);
    int64_t decide_us = clock_mono_us() - start_us;

    struct entry_header header = {};
    check(entry_read_header(bytes_from(buf_str(&bench.entry)), &header, &error), &error);
    const struct id id = id_unpack(header.run);
    start_us           = clock_mono_us();
    for (long i = 0; i < runs; i++) replay_once(&bench, str_from(id.text));
    int64_t replay_us = clock_mono_us() - start_us;

    (void)printf("runs of ten set tasks: %ld\n", runs);
    (void)printf("decide, apply, pack: %.2f us per run\n", (double)decide_us / (double)runs);
    (void)printf("replay: %.2f us per run\n", (double)replay_us / (double)runs);
    (void)printf("journal: %zu bytes per run\n", bench.entry.len);
    json_unref(bench.input);
    buf_done(&bench.entry);
    world_done(&bench.world);
    return 0;
}
