/*
 * main: plays feature files. One line per scenario; for one that failed, where and why. The lines
 * look like cmocka's, since tests/run.sh counts those.
 *
 *     language --backend core|http [--programs FOLDER] [--world FEATURE] FEATURE...
 *
 * The steps of the first scenario of a world are played before those of every scenario: what is
 * there without being said.
 *
 * Scenarios tagged @core are left out over HTTP, those tagged @http in the core. Ends with 1 if one
 * failed, with 2 if a file could not be read.
 */
#include "base/log.h"
#include "http/http.h"
#include "language/hosts.h"
#include "language/play.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILES_MAX = 500 };

struct tally {
    uint32_t passed, failed, waiting;
};

struct arguments {
    const char *backend, *programs;
    const char *only;  /* part of a scenario's name; NULL: all */
    const char *world; /* a file; NULL: nothing is there */
    const char *files[FILES_MAX];
    size_t file_count;
};

static char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    if (!file) return NULL;
    char *text = malloc(GHERKIN_SIZE_MAX + 1);
    *ret_size  = text ? fread(text, 1, GHERKIN_SIZE_MAX + 1, file) : 0;
    (void)fclose(file);
    return text;
}

static bool is_left_out(const struct gherkin_scenario *scenario, const struct backend *backend)
{
    const char *other = strcmp(backend->name, "core") == 0 ? "@http" : "@core";
    return gherkin_has_tag(scenario, other);
}

/* Reads a feature file into `arena`. */
static bool read_feature(const char *path, struct arena *arena, struct gherkin_feature *ret_feature)
{
    struct error error = {};
    size_t size        = 0;
    char *text         = read_file(path, &size);
    if (!text) {
        (void)printf("ERROR: %s: cannot be read\n", path);
        return false;
    }
    status code = gherkin_read((str){text, size}, arena, ret_feature, &error);
    free(text);
    if (code != STATUS_OK) (void)printf("ERROR: %s: %s\n", path, error.text);
    return code == STATUS_OK;
}

/* Puts the steps of the world before those of every scenario. */
static bool add_world(const char *path, struct arena *arena, struct gherkin_feature *feature)
{
    struct gherkin_feature world = {};
    if (!path) return true;
    if (!read_feature(path, arena, &world) || world.scenario_count == 0) return false;
    const struct gherkin_scenario *first = &world.scenarios[0];
    for (size_t i = 0; i < feature->scenario_count; i++) {
        struct gherkin_scenario *scenario = &feature->scenarios[i];
        size_t count                      = first->step_count + scenario->step_count;
        struct gherkin_step *steps        = arena_alloc(arena, count * sizeof *steps);
        if (!steps) return false;
        memcpy(steps, first->steps, first->step_count * sizeof *steps);
        memcpy(steps + first->step_count, scenario->steps, scenario->step_count * sizeof *steps);
        scenario->steps      = steps;
        scenario->step_count = count;
    }
    return true;
}

static void play(const struct gherkin_scenario *scenario, const char *path, struct backend *backend,
                 struct script *script, struct tally *tally)
{
    if (is_left_out(scenario, backend)) return;
    if (gherkin_has_tag(scenario, "@later")) { /* says that it will be, not that it is */
        tally->waiting++;
        (void)printf("[  SKIPPED ] %s:%u %s\n", path, scenario->line, scenario->name);
        return;
    }
    struct play state = {.backend = backend, .script = script, .input = json_object_new(0)};
    uint32_t line     = 0;
    if (play_scenario(&state, scenario, &line)) {
        tally->passed++;
        (void)printf("[       OK ] %s:%u %s\n", path, scenario->line, scenario->name);
    } else {
        tally->failed++;
        (void)printf("[  FAILED  ] %s:%u %s\nERROR: %s:%u: %s\n", path, scenario->line,
                     scenario->name, path, line, state.failure.ptr ? state.failure.ptr : "");
    }
    (void)fflush(stdout);
    play_done(&state);
}

static bool play_feature(const char *path, const struct arguments *arguments,
                         struct backend *backend, struct script *script, struct tally *tally)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(GHERKIN_ARENA_MAX);
    struct gherkin_feature feature           = {};
    if (!read_feature(path, arena, &feature)) return false;
    if (!add_world(arguments->world, arena, &feature)) return false;
    for (size_t i = 0; i < feature.scenario_count; i++) {
        const struct gherkin_scenario *scenario = &feature.scenarios[i];
        if (arguments->only && !strstr(scenario->name, arguments->only)) continue;
        play(scenario, path, backend, script, tally);
    }
    return true;
}

static bool read_arguments(int argc, char **argv, struct arguments *ret)
{
    *ret = (struct arguments){.backend = "core", .programs = "build/dev/bin"};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--backend") == 0 && has_value) {
            ret->backend = argv[++i];
        } else if (strcmp(argv[i], "--programs") == 0 && has_value) {
            ret->programs = argv[++i];
        } else if (strcmp(argv[i], "--only") == 0 && has_value) {
            ret->only = argv[++i];
        } else if (strcmp(argv[i], "--world") == 0 && has_value) {
            ret->world = argv[++i];
        } else if (argv[i][0] == '-' || ret->file_count == FILES_MAX) {
            return false;
        } else {
            ret->files[ret->file_count++] = argv[i];
        }
    }
    bool is_known = strcmp(ret->backend, "core") == 0 || strcmp(ret->backend, "http") == 0;
    return is_known && ret->file_count > 0;
}

static bool play_files(const struct arguments *arguments, struct backend *backend,
                       struct script *script, struct tally *tally)
{
    bool is_fine = true;
    for (size_t i = 0; i < arguments->file_count; i++) {
        is_fine = play_feature(arguments->files[i], arguments, backend, script, tally) && is_fine;
    }
    return is_fine;
}

static bool play_core(const struct arguments *arguments, struct script *script, struct tally *tally)
{
    struct backend *backend = core_backend_new(script);
    bool is_fine            = play_files(arguments, backend, script, tally);
    core_backend_freep(&backend);
    return is_fine;
}

static bool play_http(const struct arguments *arguments, struct script *script, struct tally *tally)
{
    struct backend *backend                   = NULL;
    struct error error                        = {};
    CLEANUP(hosts_freep) struct hosts *hosts  = hosts_of(arguments->files, arguments->file_count);
    const struct http_backend_options options = {
        .programs = arguments->programs, .hosts = hosts->names, .host_count = hosts->count};
    if (http_backend_new(&options, script, &backend, &error) != STATUS_OK) {
        (void)printf("ERROR: the suite does not start: %s\n", error.text);
        return false;
    }
    bool is_fine = play_files(arguments, backend, script, tally);
    if (http_backend_stop(backend, &error) != STATUS_OK) {
        (void)printf("ERROR: the suite did not end well: %s\n", error.text);
        is_fine = false;
    }
    http_backend_freep(&backend);
    return is_fine;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {};
    struct error error         = {};
    if (!read_arguments(argc, argv, &arguments) || http_init(&error) != STATUS_OK) {
        (void)fprintf(stderr,
                      "usage: %s --backend core|http [--programs FOLDER] [--only TEXT] "
                      "[--world FEATURE] FEATURE...\n",
                      argv[0]);
        return 2;
    }
    log_set_level(LOG_ERROR);
    CLEANUP(script_freep) struct script *script = script_new();
    struct tally tally                          = {};
    bool is_core                                = strcmp(arguments.backend, "core") == 0;
    bool is_fine =
        is_core ? play_core(&arguments, script, &tally) : play_http(&arguments, script, &tally);
    (void)printf("%s\n[  PASSED  ] %u test(s)\n", arguments.backend, tally.passed);
    if (tally.failed > 0) (void)printf("[  FAILED  ] %u test(s)\n", tally.failed);
    if (tally.waiting > 0) (void)printf("[  SKIPPED ] %u test(s)\n", tally.waiting);
    if (!is_fine) return 2;
    return tally.failed > 0 ? 1 : 0;
}
