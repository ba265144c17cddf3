/*
 * Every folder that a power cut could leave of a store is opened again: what was acknowledged must
 * be there, a commit must be there whole or not at all, and the store must go on.
 *
 *     crash_states [--states N] [--seed S] [--only K] [--lying-disk] [--first]
 *
 * A workload (workload.h) is recorded once (recording.h). At each of its operations the folder is
 * made as a crash could have left it (image.h), in as many ways as it takes to make N states. Now
 * and then what opens it again is recorded in turn, and dies at each of its own operations.
 * --only K repeats one state of a seed. --lying-disk ignores all syncs; then losses must be found,
 * which shows that this program would see them. --first ends with the first finding.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "image.h"
#include "store/wal.h"
#include "support/folder.h"
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    COMMITS        = 150,
    STATES_DEFAULT = 20'000,
    GO_ON_EVERY    = 10,   /* states */
    AGAIN_EVERY    = 1000, /* states: the store that is opened dies as well */
    GUARD_EVERY    = 50,   /* states: a release without the log looks at it, if it may crash */
    UNGUARDED      = 7,    /* what its process ends with */
    AGAIN_EACH     = 3,    /* states at each of its operations */
    FINDINGS_SHOWN = 10,
};

struct options {
    uint64_t states, seed;
    uint64_t only; /* UINT64_MAX: all */
    bool is_lying, is_first;
};

struct look {
    const struct options *options;
    const struct workload *workload;
    struct folder folder, again;
    uint64_t state; /* number of the next one, from 0 */
    uint64_t opened, findings;
    uint64_t opened_again; /* after a second crash */
    uint64_t guarded;      /* by a release without the log */
};

/* What is wrong with the store in the folder; OK if nothing is. */
static status inspect(const struct look *look, const char *path, uint64_t acked, bool goes_on,
                      struct error *reterr)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct fingerprint found;
    TRY(workload_open(path, &store, reterr));
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

/* The machine dies a second time while the store is opened or closed, and a third time never. */
static status die_again(struct look *look, uint64_t acked, struct prng *prng, struct error *reterr)
{
    struct recording recording = {};
    struct store *store        = NULL;
    TRY(recording_start(&recording, look->folder.path, reterr));
    status code = workload_open(look->folder.path, &store, reterr);
    store_close(store);
    recording_stop();
    CLEANUP(image_donep) struct image *image = image_begin(&recording, false);
    while (code == STATUS_OK && image_step(image)) {
        for (int i = 0; code == STATUS_OK && i < AGAIN_EACH; i++) {
            enum survivors survivors = (enum survivors)(prng_next(prng) % (SURVIVE_TORN + 1));
            code = image_write(image, survivors, prng, look->again.path, reterr);
            if (code == STATUS_OK) {
                look->opened_again++;
                code = inspect(look, look->again.path, acked, false, reterr);
            }
        }
    }
    recording_done(&recording);
    return code;
}

static bool is_guarded(const struct look *look, uint64_t acked, bool has_log)
{
    const struct workload *workload = look->workload;
    bool is_refused                 = false;
    struct fingerprint found;
    status seen = workload_see_without_log(look->again.path, &is_refused, &found, NULL);
    if (seen != STATUS_OK || is_refused) return true;
    uint64_t last = acked < workload->commits ? acked + 1 : acked;
    bool is_whole = memcmp(&found, &workload->after[acked], sizeof found) == 0 ||
                    memcmp(&found, &workload->after[last], sizeof found) == 0;
    return is_whole && !has_log;
}

/* In a process of its own, which may crash: then nothing was passed over in silence. */
static status is_guarded_apart(const struct look *look, uint64_t acked, bool has_log, bool *ret_is,
                               struct error *reterr)
{
    int ended   = 0;
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        bool is_set = nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0;
        _exit(is_set && !is_guarded(look, acked, has_log) ? UNGUARDED : 0);
    }
    if (child < 0 || waitpid(child, &ended, 0) != child) {
        return fail(reterr, STATUS_UNAVAILABLE, "fork: %m");
    }
    *ret_is = !WIFEXITED(ended) || WEXITSTATUS(ended) != UNGUARDED;
    return STATUS_OK;
}

static status hide_log(const char *path, bool *ret_has_log, struct error *reterr)
{
    static const char *const files[] = {"wal.0", "wal.1"};
    struct wal_past *past            = NULL;
    TRY(wal_past_read(path, &past, reterr));
    *ret_has_log = past != NULL;
    wal_past_free(past);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char name[STORE_PATH_MAX];
        (void)snprintf(name, sizeof name, "%s/%s", path, files[i]);
        if (unlink(name) != 0 && errno != ENOENT) {
            return fail(reterr, STATUS_UNAVAILABLE, "unlink %s: %m", name);
        }
    }
    return STATUS_OK;
}

/* A release that does not know the log refuses the folder, or cannot read it, or finds all that was
 * acknowledged, and no log that the next one would believe instead of what it commits. */
static status check_guard(struct look *look, struct image *image, enum survivors survivors,
                          struct prng *prng, struct error *reterr)
{
    bool has_log = false;
    bool is_good = false;
    TRY(image_write(image, survivors, prng, look->again.path, reterr));
    TRY(hide_log(look->again.path, &has_log, reterr));
    if (survivors == SURVIVE_ALL) {
        is_good = is_guarded(look, image->acked, has_log);
    } else {
        TRY(is_guarded_apart(look, image->acked, has_log, &is_good, reterr));
    }
    look->guarded++;
    if (is_good) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "a release without the log goes on from before %llu",
                (unsigned long long)image->acked);
}

/* Before anything was acknowledged there is nothing to lose, but it must open. */
static status look_into(struct look *look, struct image *image, enum survivors survivors,
                        uint64_t state, struct error *reterr)
{
    struct prng prng = {look->options->seed + state};
    TRY(image_write(image, survivors, &prng, look->folder.path, reterr));
    look->opened++;
    if (state % AGAIN_EVERY == 1 && !look->options->is_lying) {
        TRY(die_again(look, image->acked, &prng, reterr));
        TRY(image_write(image, survivors, &prng, look->folder.path, reterr));
    }
    if (survivors == SURVIVE_ALL || state % GUARD_EVERY == 0) {
        struct prng other = {look->options->seed + state};
        TRY(check_guard(look, image, survivors, &other, reterr));
    }
    return inspect(look, look->folder.path, image->acked, state % GO_ON_EVERY == 0, reterr);
}

static void look_at(struct look *look, struct image *image, enum survivors survivors)
{
    uint64_t state = look->state++;
    if (look->options->only != UINT64_MAX && look->options->only != state) return;
    if (look->options->is_first && look->findings > 0) return;
    struct error error = {};
    if (look_into(look, image, survivors, state, &error) == STATUS_OK) return;
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
    const struct recording *recording        = &look->workload->recording;
    CLEANUP(image_donep) struct image *image = image_begin(recording, look->options->is_lying);
    uint64_t count                           = 1;
    while (image_step(image)) count += image_uncertain(image) > 0;
    return count;
}

/* Two states at each place are certain, the others by chance. */
static void enumerate(struct look *look)
{
    const struct recording *recording        = &look->workload->recording;
    uint64_t each                            = look->options->states / count_uncertain(look) + 1;
    CLEANUP(image_donep) struct image *image = image_begin(recording, look->options->is_lying);
    while (image_step(image)) {
        look_at(look, image, SURVIVE_ALL);
        if (image_uncertain(image) == 0) continue;
        look_at(look, image, SURVIVE_NONE);
        for (uint64_t i = 2; i < each; i++) {
            look_at(look, image, i % 2 == 0 ? SURVIVE_WHOLE : SURVIVE_TORN);
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
        } else if (strcmp(argv[i], "--first") == 0) {
            ret_options->is_first = true;
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

static int look_at_all(const struct options *options, const struct folder *recorded,
                       const struct folder *folder, const struct folder *again)
{
    struct workload workload = {};
    struct error error       = {};
    if (workload_run(recorded->path, options->seed, COMMITS, &workload, &error) != STATUS_OK) {
        (void)fprintf(stderr, "crash_states: %s\n", error.text);
        return 1;
    }
    struct look look = {
        .options = options, .workload = &workload, .folder = *folder, .again = *again};
    enumerate(&look);
    (void)printf("%d commits, %zu operations, %llu states, %llu after a second crash, %llu without "
                 "the log: %llu lost or damaged\n",
                 (int)COMMITS, workload.recording.count, (unsigned long long)look.opened,
                 (unsigned long long)look.opened_again, (unsigned long long)look.guarded,
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
                      "usage: crash_states [--states N] [--seed S] [--only K] [--lying-disk] "
                      "[--first]\n");
        return 2;
    }
    CLEANUP(folder_remove) struct folder recorded = folder_new();
    CLEANUP(folder_remove) struct folder folder   = folder_new();
    CLEANUP(folder_remove) struct folder again    = folder_new();
    return look_at_all(&options, &recorded, &folder, &again);
}
