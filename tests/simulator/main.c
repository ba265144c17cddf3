/*
 * Seeds: in each a small world in which everything goes wrong that can (sim.h), and then everything
 * must be as if nothing had.
 *
 *     simulator [--seeds N] [--from S]     seeds S to S + N - 1; 2,000 from 1
 *     simulator --seed S [--trace]         one of them, and what happens in it
 *     simulator --first ...                stops at the first seed that fails
 */
#include "base/clock.h"
#include "base/mem.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum { SEEDS_DEFAULT = 2'000, FAILURES_SHOWN = 5 };

struct options {
    uint64_t from, count;
    bool is_traced, stops_at_first;
};

struct sums {
    uint64_t seeds, failures, runs, crashes, turns, fulls, lost;
};

static bool options_read(int argc, char **argv, struct options *ret_options)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            ret_options->is_traced = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            ret_options->stops_at_first = true;
        } else if (value && strcmp(argv[i], "--seed") == 0) {
            ret_options->from  = strtoull(value, NULL, 10);
            ret_options->count = 1;
            i++;
        } else if (value && strcmp(argv[i], "--seeds") == 0) {
            ret_options->count = strtoull(value, NULL, 10);
            i++;
        } else if (value && strcmp(argv[i], "--from") == 0) {
            ret_options->from = strtoull(value, NULL, 10);
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static void play(const char *program, uint64_t seed, const struct options *options,
                 struct sums *sums)
{
    const struct sim_options sim_options = {.seed  = seed,
                                            .trace = options->is_traced ? stdout : NULL};
    struct sim *sim                      = mem_new(1, sizeof *sim);
    bool is_good                         = sim_play(sim, &sim_options);
    sums->seeds++;
    sums->failures += !is_good;
    sums->runs += sim->plan_count;
    sums->crashes += sim->crashes;
    sums->turns += sim->turns;
    sums->fulls += sim->fulls;
    sums->lost += sim->lost;
    if (options->is_traced) (void)printf("digest %016llx\n", (unsigned long long)sim->digest);
    if (!is_good && sums->failures <= FAILURES_SHOWN) {
        (void)printf("seed %llu: %s\n  again: %s --seed %llu --trace\n", (unsigned long long)seed,
                     sim->failure, program, (unsigned long long)seed);
    }
    sim_done(sim);
    free(sim);
}

int main(int argc, char **argv)
{
    struct options options = {.from = 1, .count = SEEDS_DEFAULT};
    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: simulator [--seeds N] [--from S] [--seed S] [--trace] "
                              "[--first]\n");
        return 2;
    }
    struct sums sums = {};
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a failure is seen at once */
    int64_t begun_ms = clock_mono_ms();
    for (uint64_t i = 0; i < options.count; i++) {
        play(argv[0], options.from + i, &options, &sums);
        if (sums.failures > 0 && options.stops_at_first) break;
    }
    (void)printf("%llu seeds, %llu runs, %llu turns, %llu crashes, %llu full stores, %llu messages "
                 "lost, in %lld ms: %llu failed\n",
                 (unsigned long long)sums.seeds, (unsigned long long)sums.runs,
                 (unsigned long long)sums.turns, (unsigned long long)sums.crashes,
                 (unsigned long long)sums.fulls, (unsigned long long)sums.lost,
                 (long long)(clock_mono_ms() - begun_ms), (unsigned long long)sums.failures);
    return sums.failures == 0 ? 0 : 1;
}
