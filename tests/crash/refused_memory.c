/*
 * Each time that a store asks for memory it is refused once (tests/refusal): the process may end,
 * or the store may say that there is none; what was acknowledged is there when it is opened again.
 *
 *     refused_memory [--refusals N]
 *
 * N of them, evenly spread; without it each.
 */
#include "base/attr.h"
#include "refusal/trial.h"
#include "support/folder.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COMMITS = 60, SEED = 1, MADE_A_FAULT = 4 };

struct attempt {
    struct workload workload;
    struct folder folder;
    uint64_t *acked; /* the last commit that was acknowledged; shared with the child */
};

static void note_ack(uint64_t number, void *context)
{
    *(uint64_t *)context = number;
}

/* Full memory is said as what it is. A commit that fails may have been made: after it nothing is
 * tried, as the engine does. */
static void play(void *context)
{
    struct attempt *attempt = context;
    struct error error      = {};
    status code =
        workload_play(&attempt->workload, attempt->folder.path, note_ack, attempt->acked, &error);
    if (code == STATUS_OK || code == STATUS_RESOURCE_EXHAUSTED) return;
    (void)fprintf(stderr, "it says %s: %s\n", status_name(code), error.text);
    _exit(MADE_A_FAULT);
}

static status look(struct attempt *attempt, struct error *reterr)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct fingerprint found;
    TRY(workload_open(attempt->folder.path, &store, reterr));
    TRY(fingerprint_of(store, &found, reterr));
    const struct workload *workload = &attempt->workload;
    uint64_t acked                  = *attempt->acked;
    bool is_there                   = memcmp(&found, &workload->after[acked], sizeof found) == 0;
    if (!is_there && acked < workload->commits) {
        is_there = memcmp(&found, &workload->after[acked + 1], sizeof found) == 0;
    }
    if (!is_there) {
        return fail(reterr, STATUS_DATA_LOSS, "it holds neither commit %llu nor the next",
                    (unsigned long long)acked);
    }
    return workload_go_on(store, workload->commits + 1, reterr);
}

/* All that was acknowledged is there, and the store goes on. The next trial has a new folder. */
static bool check(void *context)
{
    struct attempt *attempt = context;
    struct error error      = {};
    status code             = look(attempt, &error);
    if (code != STATUS_OK) (void)printf("%s\n", error.text);
    folder_remove(&attempt->folder);
    attempt->folder = folder_new();
    *attempt->acked = 0;
    return code == STATUS_OK;
}

int main(int argc, char **argv)
{
    bool has_count         = argc == 3 && strcmp(argv[1], "--refusals") == 0;
    struct attempt attempt = {.acked = mmap(NULL, sizeof *attempt.acked, PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    struct error error     = {};
    struct trial_sum sum   = {};
    if ((argc > 1 && !has_count) || attempt.acked == MAP_FAILED) {
        (void)fprintf(stderr, "usage: refused_memory [--refusals N]\n");
        return 2;
    }
    if (workload_new(SEED, COMMITS, &attempt.workload, &error) != STATUS_OK) {
        (void)fprintf(stderr, "refused_memory: %s\n", error.text);
        return 1;
    }
    attempt.folder = folder_new();
    trial_all("store", play, check, &attempt, has_count ? strtoull(argv[2], NULL, 10) : 0, &sum);
    folder_remove(&attempt.folder);
    workload_done(&attempt.workload);
    return trial_sum_print("store", &sum) ? 0 : 1;
}
