/*
 * Runs a fuzz target over files or folders given on the command line, without a fuzzer.
 *
 *     NAME_fuzz [--refusals N] FILE|FOLDER...
 *
 * --refusals: each input again and again, and of the times that memory is asked for N (0: each)
 * are refused (tests/refusal).
 */
#include "refusal/trial.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4 << 20, PATH_LEN_MAX = 4096 }; /* bytes */

struct replay {
    unsigned count; /* inputs */
    bool refuses;
    uint64_t refusals; /* of each input; 0: all */
    struct trial_sum sum;
};

struct input {
    uint8_t *data;
    size_t size;
};

static void run_input(void *context)
{
    const struct input *input = context;
    (void)LLVMFuzzerTestOneInput(input->data, input->size);
}

static void replay_file(struct replay *replay, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)fprintf(stderr, "%s: %m\n", path);
        exit(1);
    }
    uint8_t *data = malloc(INPUT_MAX);
    if (!data) abort();
    size_t size = fread(data, 1, INPUT_MAX, file);
    (void)fclose(file);

    /* A copy of the exact size, so that the address sanitizer sees a read past the end. */
    struct input exact = {malloc(size ? size : 1), size};
    if (!exact.data) abort();
    for (size_t i = 0; i < size; i++) exact.data[i] = data[i];
    free(data);
    /* With memory first: where libraries fail at what they set up once, they forget half of it. */
    run_input(&exact);
    if (replay->refuses) {
        trial_all(path, run_input, NULL, &exact, replay->refusals, &replay->sum);
    }
    free(exact.data);
    replay->count++;
}

static void replay_folder(struct replay *replay, const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        char file[PATH_LEN_MAX];
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        replay_file(replay, file);
    }
    (void)closedir(folder);
}

/* A parser that never asks has nothing to be refused. */
static bool is_good(const struct replay *replay)
{
    if (!replay->refuses) return true;
    bool has_passed = trial_sum_print("memory", &replay->sum);
    return has_passed || (replay->sum.trials == 0 && replay->sum.findings == 0);
}

int main(int argc, char **argv)
{
    struct replay replay = {};
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (strcmp(argv[i], "--refusals") == 0 && i + 1 < argc) {
            replay.refuses  = true;
            replay.refusals = strtoull(argv[++i], NULL, 10);
            continue;
        }
        if (stat(argv[i], &info) != 0) continue;
        if (S_ISDIR(info.st_mode)) {
            replay_folder(&replay, argv[i]);
        } else {
            replay_file(&replay, argv[i]);
        }
    }
    (void)printf("replayed %u inputs\n", replay.count);
    return replay.count > 0 && is_good(&replay)
               ? 0
               : 1; /* an empty corpus is a test that could not fail */
}
