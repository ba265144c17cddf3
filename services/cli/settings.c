#include "cli/settings.h"

#include "base/buf.h"
#include "base/diagnostic.h"
#include "http/url.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_SIZE_MAX  = 8 << 10 /* bytes of endpoints.json */,
    FLAGS_TEXT_MAX = 1 << 10 /* bytes */
};

static const char *const global_flags[] = {"--url", "--key", "--namespace", "--data"};

void settings_done(struct settings *settings)
{
    explicit_bzero(settings->key, sizeof settings->key);
}

static bool is_global(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(global_flags); i++) {
        if (strcmp(word, global_flags[i]) == 0) return true;
    }
    return false;
}

int settings_first_word(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (is_global(argv[i])) {
            i++;
        } else if (argv[i][0] != '-') {
            return i;
        }
    }
    return argc;
}

void cli_default_data(char *path, size_t size)
{
    const char *base = getenv("XDG_DATA_HOME"); /* NOLINT(concurrency-mt-unsafe): one thread */
    const char *home = getenv("HOME");          /* NOLINT(concurrency-mt-unsafe) */
    if (base && *base) {
        (void)snprintf(path, size, "%s/tutti", base);
    } else {
        (void)snprintf(path, size, "%s/.local/share/tutti", home && *home ? home : ".");
    }
}

/* Reads a small file into `text`, without its last line end; false if it is not there or too large.
 */
static bool read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t length = fread(text, 1, size - 1, file);
    bool is_whole = length < size - 1 && !ferror(file);
    (void)fclose(file);
    text[length] = '\0';
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) {
        text[--length] = '\0';
    }
    return is_whole;
}

static void find_url(struct settings *settings, struct cli *cli)
{
    char path[SETTINGS_TEXT_MAX + 32];
    char text[FILE_SIZE_MAX];
    const char *url = getenv("TUTTI_URL"); /* NOLINT(concurrency-mt-unsafe) */
    (void)snprintf(settings->url, sizeof settings->url, "%s",
                   url && *url ? url : "http://127.0.0.1:8080");
    cli->url = settings->url;
    if (url && *url) return;
    (void)snprintf(path, sizeof path, "%s/endpoints.json", settings->data);
    CLEANUP(json_unrefp) json endpoints = json_invalid();
    if (!read_file(path, text, sizeof text)) return;
    if (json_parse(str_from(text), NULL, &endpoints, NULL, NULL) != STATUS_OK) return;
    json gateway = json_pointer_get(endpoints, str_from("/gateway/url"));
    if (!json_is(gateway, JSON_TEXT)) return;
    (void)snprintf(settings->url, sizeof settings->url, STR_FMT, STR_ARG(json_str(gateway)));
}

/* The key in DIR is that of the suite on this machine; it is not sent to anybody else. */
static bool is_local(const char *text)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "::1", "[::1]"};
    struct url url                   = {};
    if (!url_parse(str_from(text), &url)) return false;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (str_is(url.host, hosts[i])) return true;
    }
    return false;
}

static void find_key(struct settings *settings, struct cli *cli)
{
    char path[SETTINGS_TEXT_MAX + 32];
    const char *key = getenv("TUTTI_KEY"); /* NOLINT(concurrency-mt-unsafe) */
    if (key && *key) {
        cli->key = key;
        return;
    }
    if (!is_local(cli->url)) return;
    (void)snprintf(path, sizeof path, "%s/admin.key", settings->data);
    if (read_file(path, settings->key, sizeof settings->key)) cli->key = settings->key;
}

static const struct cli_flag *find_flag(const struct cli_command *command, const char *word,
                                        int *ret_index)
{
    int index = 0;
    for (const struct cli_flag *flag = command->flags; flag && flag->name; flag++, index++) {
        bool is_letter = flag->letter && word[1] == flag->letter && word[2] == '\0';
        if (is_letter || strcmp(word, flag->name) == 0) {
            *ret_index = index;
            return flag;
        }
    }
    return NULL;
}

static status unknown_flag(const struct cli_command *command, const char *word,
                           struct error *reterr)
{
    const char *names[CLI_FLAGS_MAX + ARRAY_LEN(global_flags) + 1];
    size_t count = 0;
    for (const struct cli_flag *flag = command->flags; flag && flag->name; flag++) {
        names[count++] = flag->name;
    }
    for (size_t i = 0; i < ARRAY_LEN(global_flags); i++) names[count++] = global_flags[i];
    names[count++]   = "--json";
    const char *near = nearest_name(str_from(word), names, count);
    if (near) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "there is no flag `%s`; did you mean `%s`?",
                    word, near);
    }
    CLEANUP(buf_done) struct buf all = buf_init(FLAGS_TEXT_MAX);
    for (size_t i = 0; i < count; i++) (void)buf_printf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "there is no flag `%s`; there are %s", word,
                all.ptr);
}

static void set_global(struct settings *settings, struct cli *cli, const char *name,
                       const char *value)
{
    if (strcmp(name, "--url") == 0) cli->url = value;
    if (strcmp(name, "--key") == 0) cli->key = value;
    if (strcmp(name, "--namespace") == 0) cli->namespace = value;
    if (strcmp(name, "--data") != 0) return;
    (void)snprintf(settings->data, sizeof settings->data, "%s", value);
}

/* `tutti --data DIR approve RUN --data JSON`: before the command a flag is the global one. */
static status read_flag(struct settings *settings, struct cli *cli, int argc, char **argv,
                        int command, int *position, struct error *reterr)
{
    const char *word            = argv[*position];
    int index                   = 0;
    bool comes_first            = *position < command && is_global(word);
    const struct cli_flag *flag = comes_first ? NULL : find_flag(cli->command, word, &index);
    bool needs_value            = is_global(word) || (flag && flag->value);
    if (!flag && !is_global(word)) return unknown_flag(cli->command, word, reterr);
    if (needs_value && *position + 1 >= argc) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s needs a value", word);
    }
    const char *value = needs_value ? argv[++*position] : "";
    if (flag) {
        cli->values[index] = value;
    } else {
        set_global(settings, cli, word, value);
    }
    return STATUS_OK;
}

static status read_words(struct settings *settings, struct cli *cli, int argc, char **argv,
                         int command, bool *ret_help, struct error *reterr)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (i == command) continue;
        if (strcmp(word, "--json") == 0) {
            cli->is_json = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *ret_help = true;
        } else if (word[0] == '-' && word[1] != '\0') {
            TRY(read_flag(settings, cli, argc, argv, command, &i, reterr));
        } else if (cli->argument_count == CLI_ARGUMENTS_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "too many words");
        } else {
            cli->arguments[cli->argument_count++] = word;
        }
    }
    return STATUS_OK;
}

status settings_read(struct settings *settings, struct cli *cli, int argc, char **argv, int command,
                     bool *ret_help, struct error *reterr)
{
    const char *data = getenv("TUTTI_DATA"); /* NOLINT(concurrency-mt-unsafe) */
    if (data && *data) {
        (void)snprintf(settings->data, sizeof settings->data, "%s", data);
    } else {
        cli_default_data(settings->data, sizeof settings->data);
    }
    cli->namespace = getenv("TUTTI_NAMESPACE"); /* NOLINT(concurrency-mt-unsafe) */
    TRY(read_words(settings, cli, argc, argv, command, ret_help, reterr));
    cli->data = settings->data;
    if (!cli->url) find_url(settings, cli);
    if (!cli->key) find_key(settings, cli);
    if (*ret_help) return STATUS_OK;
    if (cli->argument_count < cli->command->argument_min) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "an argument is missing");
    }
    if (cli->argument_count > cli->command->argument_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is one word too many",
                    cli->arguments[cli->command->argument_max]);
    }
    for (int i = 0; i < cli->argument_count; i++) {
        if (*cli->arguments[i]) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "argument %d is empty", i + 1);
    }
    return STATUS_OK;
}
