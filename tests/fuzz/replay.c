/* Runs a fuzz target over files or folders given on the command line, without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4 << 20, PATH_LEN_MAX = 4096 }; /* bytes */

static void replay_file(const char *path)
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
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) abort();
    for (size_t i = 0; i < size; i++) exact[i] = data[i];
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static unsigned replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return 0;
    unsigned count = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        char file[PATH_LEN_MAX];
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        replay_file(file);
        count++;
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) continue;
        if (S_ISDIR(info.st_mode)) {
            count += replay_folder(argv[i]);
        } else {
            replay_file(argv[i]);
            count++;
        }
    }
    (void)printf("replayed %u inputs\n", count);
    return count > 0 ? 0 : 1; /* an empty corpus is a test that could not fail */
}
