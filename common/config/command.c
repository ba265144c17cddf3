/* The command line that all programs share. */
#include "base/assert.h"
#include "config/config_internal.h"

#include <stdio.h>
#include <unistd.h>

enum {
    ARENA_MAX = 1 << 20, /* bytes of findings */
    OUT_MAX   = 4 << 20, /* bytes of what is printed */
};

static const char default_file[] = "/etc/tutti/tutti.yaml";

enum action { ACTION_RUN, ACTION_PRINT, ACTION_CHECK, ACTION_HELP, ACTION_VERSION };

struct command {
    enum action action;
    const char *file;
    const char *flags[CONFIG_FLAGS_MAX];
    size_t flag_count;
};

/* The value of `--name VALUE` or `--name=VALUE`; moves past it. NULL if it is not that flag. */
static const char *flag_value(int argc, char *const *argv, int *index, const char *name)
{
    const char *given = argv[*index];
    size_t len        = strlen(name);
    if (strncmp(given, name, len) != 0) return NULL;
    if (given[len] == '=') return given + len + 1;
    if (given[len] != '\0' || *index + 1 == argc) return NULL;
    return argv[++*index];
}

static bool word_from(const char *given, enum action *ret_action)
{
    static const struct {
        const char *name;
        enum action action;
    } words[] = {
        {"--print-config", ACTION_PRINT}, {"--check-config", ACTION_CHECK},
        {"--help", ACTION_HELP},          {"-h", ACTION_HELP},
        {"--version", ACTION_VERSION},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(given, words[i].name) != 0) continue;
        *ret_action = words[i].action;
        return true;
    }
    return false;
}

static bool command_from(int argc, char *const *argv, struct command *ret_command)
{
    for (int i = 1; i < argc; i++) {
        if (word_from(argv[i], &ret_command->action)) continue;
        const char *value = flag_value(argc, argv, &i, "--config");
        if (value) {
            ret_command->file = value;
            continue;
        }
        value = flag_value(argc, argv, &i, "--set");
        if (!value || ret_command->flag_count == CONFIG_FLAGS_MAX) {
            (void)fprintf(stderr, "%s: cannot use `%s`; see --help\n", argv[0], argv[i]);
            return false;
        }
        ret_command->flags[ret_command->flag_count++] = value;
    }
    return true;
}

static const char *file_from(const struct command *command, char *const *environment)
{
    static const char name[] = "TUTTI_CONFIG=";
    if (command->file) return command->file;
    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name, sizeof name - 1) == 0) {
            return *environment + sizeof name - 1;
        }
    }
    return access(default_file, F_OK) == 0 ? default_file : NULL;
}

void config_print_findings(const char *program, const char *file, const struct diagnostics *list)
{
    static const char *const severities[] = {"error", "warning", "note"};
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *finding = &list->items[i];
        if (finding->line > 0) {
            (void)fprintf(stderr, "%s:%u:%u: ", file ? file : "", finding->line, finding->column);
        } else {
            (void)fprintf(stderr, "%s: ", program);
        }
        (void)fprintf(stderr, "%s: %s\n", severities[finding->severity], finding->detail);
        if (*finding->hint) (void)fprintf(stderr, "  fix: %s\n", finding->hint);
    }
    if (list->dropped > 0) (void)fprintf(stderr, "%s: %zu more\n", program, list->dropped);
}

static int print_help(const struct config_program *program)
{
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    (void)config_print_manual(program, &out);
    (void)printf("usage: %s [--config FILE] [--set PATH=VALUE]... [--check-config] "
                 "[--print-config] [--version] [--help]\n\n"
                 "Options come from the file (--config, TUTTI_CONFIG, %s), the environment\n"
                 "(TUTTI_SECTION__NAME) and --set; later ones win.\n\n%s",
                 program->name, default_file, out.ptr ? out.ptr : "");
    return 0;
}

static int print_effective(const struct config *config)
{
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    if (!config_print(config, &out)) return CONFIG_EXIT_BAD;
    (void)printf("%s", out.ptr ? out.ptr : "");
    return 0;
}

static int load(const struct config_program *program, const struct command *command,
                char *const *environment, void *ret_options, struct config **ret_config)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct error error                       = {};
    const struct config_sources sources      = {
             .file        = file_from(command, environment),
             .environment = environment,
             .flags       = command->flags,
             .flag_count  = command->flag_count,
    };
    status code = config_load(program, &sources, ret_options, ret_config, list, &error);
    config_print_findings(program->name, sources.file ? sources.file : "", list);
    if (code == STATUS_OK) return CONFIG_GO;
    if (list->count == 0) (void)fprintf(stderr, "%s: error: %s\n", program->name, error.text);
    return CONFIG_EXIT_BAD;
}

static int check(const struct config_program *program, const struct config *config,
                 const void *options)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct error error                       = {};
    const char *file                         = config_sources_of(config)->file;
    if (!program->check) return 0;
    status code = program->check(config, options, list, &error);
    config_print_findings(program->name, file ? file : "", list);
    if (code == STATUS_OK) return 0;
    if (list->count == 0) (void)fprintf(stderr, "%s: error: %s\n", program->name, error.text);
    return CONFIG_EXIT_BAD;
}

int config_main(const struct config_program *program, int argc, char *const *argv,
                char *const *environment, void *ret_options, struct config **ret_config)
{
    ASSERT(argc > 0);
    struct command command = {};
    if (!command_from(argc, argv, &command)) return CONFIG_EXIT_BAD;
    if (command.action == ACTION_HELP) return print_help(program);
    if (command.action == ACTION_VERSION) {
        (void)printf("%s %s\n", program->name, TUTTI_VERSION);
        return 0;
    }
    CLEANUP(config_freep) struct config *config = NULL;
    int result = load(program, &command, environment, ret_options, &config);
    if (result != CONFIG_GO) return result;
    if (command.action == ACTION_CHECK) return check(program, config, ret_options);
    if (command.action == ACTION_PRINT) return print_effective(config);
    *ret_config = TAKE(config);
    return CONFIG_GO;
}
