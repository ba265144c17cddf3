/*
 * Every file that a power cut could leave of a store is opened again: what was acknowledged must be
 * there, a commit must be there whole or not at all, and the store must go on.
 *
 *     crash_states [--states N] [--seed S] [--only K] [--lying-disk]
 *
 * A workload (workload.h) is recorded once (recording.h). At each of its operations the file is
 * built as a crash could have left it (image.h), in as many ways as it takes to make N states.
 * --only K repeats one state of a seed. --lying-disk ignores all syncs; then losses must be found,
 * which shows that this program would see them.
 */
#include "base/attr.h"
#include "image.h"
#include "support/folder.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMITS        = 150,
    STATES_DEFAULT = 20'000,
    GO_ON_EVERY    = 10, /* states: writing costs a sync */
    FINDINGS_SHOWN = 10,
};

struct options {
    uint64_t states, seed;
    uint64_t only; /* UINT64_MAX: all */
    bool is_lying;
};

struct look {
    const struct options *options;
    const struct workload *workload;
    struct folder folder;
    struct folder file;
    uint64_t state; /* number of the next one, from 0 */
    uint64_t opened, findings;
};

/* What is wrong with the store in the folder; OK if nothing is. */
static status inspect(const struct look *look, uint64_t acked, bool goes_on, struct error *reterr)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct fingerprint found;
    TRY(workload_open(look->folder.path, &store, reterr));
    TRY(fingerprint_of(store, &found, reterr));

    /* The commit that was under way may be there, although nobody was told. */
    const struct workload *workload = look->workload;
    bool is_there                   = memcmp(&found, &workload->after[acked], sizeof found) == 0;
    if (!is_there && acked < workload->commits) {
        is_there = memcmp(&found, &workload->after[acked + 1], sizeof found) == 0;
    }
    if (!is_there) {
        return fail(reterr, STATUS_DATA_LOSS, "it holds neither commit %llu nor the next",
                    (unsigned long long)acked);
    }
    return goes_on ? workload_go_on(store, workload->commits + 1, reterr) : STATUS_OK;
}

static void look_at(struct look *look, const struct image *image, enum survivors survivors)
{
    uint64_t state = look->state++;
    if (look->options->only != UINT64_MAX && look->options->only != state) return;
    struct prng prng   = {look->options->seed + state};
    struct error error = {};
    status code        = image_write(image, survivors, &prng, look->file.path, &error);
    if (code == STATUS_OK) {
        look->opened++;
        code = inspect(look, image->acked, state % GO_ON_EVERY == 0, &error);
    }
    if (code == STATUS_OK) return;
    if (look->findings++ >= FINDINGS_SHOWN || look->options->is_lying) return;
    (void)printf("state %llu, after operation %zu, survivors %d: %s\n"
                 "  again: crash_states --seed %llu --states %llu --only %llu\n",
                 (unsigned long long)state, image->next, survivors, error.text,
                 (unsigned long long)look->options->seed, (unsigned long long)look->options->states,
                 (unsigned long long)state);
}

/* How many places there are where a crash may leave more than one file. */
static uint64_t count_uncertain(const struct look *look)
{
    const struct recording *recording      = &look->workload->recording;
    CLEANUP(image_done) struct image image = image_begin(recording, look->options->is_lying);
    uint64_t count                         = 1;
    while (image_step(&image)) count += image_uncertain(&image) > 0;
    return count;
}

/* Two states at each place are certain, the others by chance. */
static void enumerate(struct look *look)
{
    const struct recording *recording      = &look->workload->recording;
    uint64_t each                          = look->options->states / count_uncertain(look) + 1;
    CLEANUP(image_done) struct image image = image_begin(recording, look->options->is_lying);
    while (image_step(&image)) {
        look_at(look, &image, SURVIVE_ALL);
        if (image_uncertain(&image) == 0) continue;
        look_at(look, &image, SURVIVE_NONE);
        for (uint64_t i = 2; i < each; i++) {
            look_at(look, &image, i % 2 == 0 ? SURVIVE_WHOLE : SURVIVE_TORN);
        }
    }
}

static bool options_read(int argc, char **argv, struct options *ret_options)
{
    for (int i = 1; i < argc; i++) {
        bool has_value  = i + 1 < argc;
        uint64_t number = has_value ? strtoull(argv[i + 1], NULL, 10) : 0;
        if (strcmp(argv[i], "--lying-disk") == 0) {
            ret_options->is_lying = true;
        } else if (has_value && strcmp(argv[i], "--states") == 0) {
            ret_options->states = number;
            i++;
        } else if (has_value && strcmp(argv[i], "--seed") == 0) {
            ret_options->seed = number;
            i++;
        } else if (has_value && strcmp(argv[i], "--only") == 0) {
            ret_options->only = number;
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static int look_at_all(const struct options *options, struct folder *recorded, struct folder *again)
{
    struct workload workload = {};
    struct error error       = {};
    if (workload_run(recorded->path, options->seed, COMMITS, &workload, &error) != STATUS_OK) {
        (void)fprintf(stderr, "crash_states: %s\n", error.text);
        return 1;
    }
    struct look look = {.options  = options,
                        .workload = &workload,
                        .folder   = *again,
                        .file     = folder_join(again, "data.mdb")};
    enumerate(&look);
    (void)printf("%d commits, %zu operations, %llu states: %llu lost or damaged\n", (int)COMMITS,
                 workload.recording.count, (unsigned long long)look.opened,
                 (unsigned long long)look.findings);
    bool is_good = options->is_lying ? look.findings > 0 : look.findings == 0;
    workload_done(&workload);
    return is_good && look.opened > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options = {.states = STATES_DEFAULT, .seed = 1, .only = UINT64_MAX};
    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr,
                      "usage: crash_states [--states N] [--seed S] [--only K] [--lying-disk]\n");
        return 2;
    }
    CLEANUP(folder_remove) struct folder recorded = folder_new();
    CLEANUP(folder_remove) struct folder again    = folder_new();
    return look_at_all(&options, &recorded, &again);
}
