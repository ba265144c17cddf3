/* config_load(): sources, kinds, mistakes, secrets, and what is generated from the table. */
#include "config/config.h"

#include "schema/schema.h"

#include "json/json_text.h"

#include "cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 1 << 20, OUT_MAX = 1 << 20 };

struct options {
    const char *store_path;
    uint64_t store_size_max;
    int64_t lease_ms;
    int64_t workers;
    bool is_strict;
    int mode;
    const char *listen_url;
    const char *peer_urls;
    struct config_list queues;
    struct config_secret token;
    json providers, rules;
    const char *note;
    struct config_common common;
};

static const char *const modes[]   = {"slow", "fast", NULL};
static const char *const schemes[] = {"tcp", "ipc", NULL};

#define AT(field) offsetof(struct options, field)

static const struct config_option table[] = {
    {"scheduler.store.path", CONFIG_PATH, AT(store_path), .fallback = "/var/lib/tutti",
     .doc = "Directory of the store."},
    {"scheduler.store.size_max", CONFIG_SIZE, AT(store_size_max), .fallback = "64GiB",
     .min = 1 << 20, .max = (int64_t)1 << 40, .doc = "Largest size."},
    {"scheduler.lease", CONFIG_DURATION, AT(lease_ms), .fallback = "30s", .min = 1000,
     .max = 3'600'000, .flags = CONFIG_RELOADABLE, .doc = "Time of a lease."},
    {"scheduler.workers", CONFIG_INT, AT(workers), .fallback = "4", .min = 1, .max = 64,
     .doc = "Threads."},
    {"scheduler.strict", CONFIG_BOOL, AT(is_strict), .fallback = "true", .doc = "No excuses."},
    {"scheduler.mode", CONFIG_ENUM, AT(mode), .fallback = "fast", .names = modes, .doc = "How."},
    {"scheduler.listen", CONFIG_URL, AT(listen_url), .names = schemes, .flags = CONFIG_REQUIRED,
     .doc = "Where."},
    {"scheduler.peers", CONFIG_URLS, AT(peer_urls), .names = schemes, .doc = "Whom."},
    {"scheduler.queues", CONFIG_LIST, AT(queues), .fallback = "a,b", .doc = "Which."},
    {"scheduler.token", CONFIG_SECRET, AT(token), .doc = "The key."},
    {"scheduler.providers", CONFIG_TREE, AT(providers), .doc = "Who."},
    {"scheduler.rules", CONFIG_TREE, AT(rules), .flags = CONFIG_IS_LIST, .doc = "What."},
    {"scheduler.note", CONFIG_TEXT, AT(note), .doc = "Anything."},
};

static const struct config_set sets[] = {
    {table, ARRAY_LEN(table), 0},
    {config_common_options, CONFIG_COMMON_COUNT, AT(common)},
};
/* What a service finds in its trees. */
static status check_more(const struct config *config, const void *given, struct diagnostics *list,
                         struct error *reterr)
{
    const struct options *options = given;
    if (strcmp(options->listen_url, "ipc://refused") != 0) return STATUS_OK;
    config_found(config, list, str_from("/scheduler/listen"), "another one", "is refused");
    return fail(reterr, STATUS_INVALID_ARGUMENT, "there is a finding");
}

static const struct config_program program = {
    .name = "tutti-test", .sets = sets, .set_count = ARRAY_LEN(sets), .check = check_more};

/* A folder with a configuration and a secret. */
struct place {
    char folder[64];
    char file[128];
    char secret_file[128];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file) fail_msg("%s: %m", path);
    (void)fputs(text, file);
    (void)fclose(file);
}

static struct place place_new(const char *text)
{
    struct place place = {.folder = "/tmp/config_test_XXXXXX"};
    if (!mkdtemp(place.folder)) fail_msg("mkdtemp: %m");
    (void)snprintf(place.file, sizeof place.file, "%s/t.yaml", place.folder);
    (void)snprintf(place.secret_file, sizeof place.secret_file, "%s/the-token", place.folder);
    write_file(place.file, text);
    write_file(place.secret_file, "s3cr3t-value\n");
    (void)chmod(place.secret_file, S_IRUSR | S_IWUSR);
    return place;
}

static void place_done(struct place *place)
{
    (void)unlink(place->file);
    (void)unlink(place->secret_file);
    (void)rmdir(place->folder);
}

static void all_sources_in_their_order(void **state)
{
    (void)state;
    CLEANUP(place_done)
    struct place place = place_new("scheduler:\n"
                                   "  store: {path: /file, size_max: 2MiB}\n"
                                   "  lease: 250s\n"
                                   "  workers: 8\n"
                                   "  strict: false\n"
                                   "  mode: slow\n"
                                   "  listen: tcp://127.0.0.1:1\n"
                                   "  queues: [x, 'y z']\n"
                                   "  providers: {openai: {url: u}}\n"
                                   "gateway: {whatever: [1, 2]}\n");
    char dir[200];
    (void)snprintf(dir, sizeof dir, "TUTTI_SECRETS__DIR=%s", place.folder);
    char *const environment[]           = {dir,
                                           (char[]){"TUTTI_SCHEDULER__STORE__PATH=/environment"},
                                           (char[]){"TUTTI_SCHEDULER__LEASE=PT1M"},
                                           (char[]){"TUTTI_SCHEDULER__TOKEN__SECRET=the-token"},
                                           (char[]){"TUTTI_SCHEDULER__PROVIDERS__OPENAI__RETRIES=3"},
                                           (char[]){"TUTTI_GATEWAY__ANYTHING=1"},
                                           (char[]){"TUTTI_CONFIG=nowhere"},
                                           (char[]){"TUTTI_GATEWAY_SERVICE_HOST=10.0.0.1"},
                                           (char[]){"HOME=/"},
                                           NULL};
    const char *const flags[]           = {"scheduler.store.path=/flag", "scheduler.queues=q, r",
                                           "log.level=debug", "scheduler.providers.local.url=http://x"};
    const struct config_sources sources = {.file        = place.file,
                                           .environment = environment,
                                           .flags       = flags,
                                           .flag_count  = ARRAY_LEN(flags)};
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    struct diagnostics *list                    = diagnostics_new(arena);
    CLEANUP(config_freep) struct config *config = NULL;
    struct options options                      = {};
    struct error error                          = {};
    if (config_load(&program, &sources, &options, &config, list, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(options.store_path, "/flag");
    assert_int_equal(options.store_size_max, 2 << 20);
    assert_int_equal(options.lease_ms, 60'000);
    assert_int_equal(options.workers, 8);
    assert_false(options.is_strict);
    assert_int_equal(options.mode, 0);
    assert_string_equal(options.listen_url, "tcp://127.0.0.1:1");
    assert_int_equal(options.queues.count, 2);
    assert_string_equal(options.queues.items[0], "q");
    assert_string_equal(options.queues.items[1], "r");
    assert_string_equal(options.token.name, "the-token");
    assert_string_equal(options.token.value.ptr, "s3cr3t-value");
    assert_null(options.note);
    assert_int_equal(options.common.log_level, LOG_DEBUG);
    assert_int_equal(options.common.log_format, LOG_AUTO);
    CLEANUP(json_unrefp) json tree = json_to_text_new(options.providers);
    assert_string_equal(
        json_str(tree).ptr,
        "{\"openai\":{\"url\":\"u\",\"retries\":3},\"local\":{\"url\":\"http://x\"}}");

    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    assert_true(config_print(config, &out));
    assert_null(strstr(out.ptr, "s3cr3t"));
    assert_non_null(
        strstr(out.ptr, "  store:\n    path: \"/flag\"  # --set scheduler.store.path\n"));
    assert_non_null(strstr(out.ptr, "size_max: 2MiB  # /tmp/"));
    assert_non_null(strstr(out.ptr, "t.yaml:2:34\n"));
    assert_non_null(strstr(out.ptr, "lease: 1m  # environment TUTTI_SCHEDULER__LEASE\n"));
    assert_non_null(strstr(out.ptr, "token: {secret: \"the-token\"}"));
    assert_non_null(strstr(out.ptr, "note: null  # not set\n"));
    assert_non_null(strstr(out.ptr, "log:\n  format: auto  # default\n"));
    CLEANUP(yaml_freep) struct yaml_document *again = NULL; /* what is printed is a configuration */
    assert_int_equal(yaml_parse(buf_str(&out), NULL, &again, NULL), STATUS_OK);

    config_found(config, list, str_from("/scheduler/providers/openai/url"), "a real one", "no %s",
                 "URL");
    assert_int_equal(list->items[0].line, 9);
    assert_int_equal(list->items[0].column, 29);
    assert_int_equal(list->errors, 1);

    str secret                          = {};
    CLEANUP(json_unrefp) json reference = json_object_new(1);
    json_object_put_text(&reference, "secret", json_text_from("the-token"));
    assert_int_equal(config_secret_read(config, reference, arena, &secret, NULL), STATUS_OK);
    assert_string_equal(secret.ptr, "s3cr3t-value");
    write_file(place.secret_file, "-----BEGIN A KEY-----\nabc\n-----END A KEY-----\n");
    assert_int_equal(config_secret_read(config, reference, arena, &secret, NULL), STATUS_OK);
    assert_string_equal(secret.ptr, "-----BEGIN A KEY-----\nabc\n-----END A KEY-----");
    write_file(place.secret_file, "two\nlines\n");
    assert_int_equal(config_secret_read(config, reference, arena, &secret, NULL),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(config_secret_read(config, json_null(), arena, &secret, NULL),
                     STATUS_INVALID_ARGUMENT);
}

static const struct mistake {
    const char *text; /* of the file; NULL: the flag alone */
    const char *flag;
    uint32_t line;
    uint32_t column;
    const char *words;
    const char *hint;
} mistakes[] = {
    {"scheduler: {stroe: {path: x}}", NULL, 1, 13, "scheduler.stroe", "`store`"},
    {"scheduler:\n  store:\n    pth: x", NULL, 3, 5, "scheduler.store.pth", "`path`"},
    {"schedular: {}", NULL, 1, 1, "schedular", "`scheduler`"},
    {"scheduler.store.path: x", NULL, 1, 1, "no option of this name", ""},
    {"scheduler: 1", NULL, 1, 12, "must be a map", ""},
    {"- a", NULL, 1, 1, "map of sections", ""},
    {"log: {level: info, level: warn}", NULL, 1, 20, "twice", ""},
    {"log: {level: loud}", NULL, 1, 14, "one of debug, info, warn, error", ""},
    {"scheduler: {store: {size_max: 64}}", NULL, 1, 31, "size with its unit", ""},
    {"scheduler: {store: {size_max: 64XB}}", NULL, 1, 31, "size with its unit", ""},
    {"scheduler: {store: {size_max: 99999999TiB}}", NULL, 1, 31, "size with its unit", ""},
    {"scheduler: {store: {size_max: 1KiB}}", NULL, 1, 31, "at least 1MiB", ""},
    {"scheduler: {store: {size_max: 2TiB}}", NULL, 1, 31, "at most 1TiB", ""},
    {"scheduler: {lease: 30}", NULL, 1, 20, "duration with its unit", ""},
    {"scheduler: {lease: 2h}", NULL, 1, 20, "at most", ""},
    {"scheduler: {workers: 1.5}", NULL, 1, 22, "whole number", ""},
    {"scheduler: {workers: 0}", NULL, 1, 22, "at least 1", ""},
    {"scheduler: {strict: yes}", NULL, 1, 21, "true or false", ""},
    {"scheduler: {note: 5}", NULL, 1, 19, "must be a text", "quotes"},
    {"scheduler: {listen: nowhere}", NULL, 1, 21, "must be a URL", ""},
    {"scheduler: {listen: 'http://x'}", NULL, 1, 21, "scheme", "tcp, ipc"},
    {"scheduler: {peers: ''}", NULL, 1, 20, "must be a URL", ""},
    {"scheduler: {peers: 'ipc://a, b'}", NULL, 1, 20, "must be a URL", ""},
    {"scheduler: {peers: 'ipc://a,http://b'}", NULL, 1, 20, "scheme", "tcp, ipc"},
    {"scheduler: {queues: a}", NULL, 1, 21, "list of texts", ""},
    {"scheduler: {token: abc}", NULL, 1, 20, "by reference only", "{secret: NAME}"},
    {"scheduler: {providers: 1}", NULL, 1, 24, "must be a map", ""},
    {"scheduler: {providers: [a]}", NULL, 1, 24, "must be a map", ""},
    {"scheduler: {rules: {a: 1}}", NULL, 1, 20, "must be a list", ""},
    {NULL, "scheduler.providers=[a]", 0, 0, "must be a map", ""},
    {"scheduler:\n  providers:\n    a: {api_key: abc}", NULL, 3, 18, "by reference only", "secret"},
    {"a: b: c", NULL, 1, 5, "`: `", "quotes"},
    {NULL, "scheduler.workers=many", 0, 0, "--set scheduler.workers: ", ""},
    {NULL, "scheduler.workers", 0, 0, "has no value", "path=value"},
    {NULL, "scheduler.wokers=3", 0, 0, "no option `scheduler.wokers`", "`workers`"},
    {NULL, "scheduler.token=abc", 0, 0, "by reference only", "secret"},
    {NULL, "scheduler.token.secret=../x", 0, 0, "name of a secret", ""},
    {NULL, "scheduler.token.secret=none", 0, 0, "scheduler.token", ""},
    {NULL, "scheduler.providers=[", 0, 0, "must be YAML", ""},
    {NULL, "scheduler.providers.a\xff=x", 0, 0, "is not named in UTF-8", ""},
    {NULL, "scheduler.providers.a.password=x", 0, 0, "by reference only", "secret"},
};

static void check_mistake(void **state)
{
    const struct mistake *row                = *state;
    CLEANUP(place_done) struct place place   = place_new(row->text ? row->text : "");
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct config *config                    = NULL;
    struct options options                   = {};
    struct error error                       = {};
    bool has_listen                          = row->text && strstr(row->text, "listen");
    const char *const flags[]                = {row->flag ? row->flag : "log.level=info",
                                 "scheduler.listen=ipc://x"};
    const struct config_sources sources = {
        .file = place.file, .flags = flags, .flag_count = has_listen ? 1 : 2};
    assert_int_equal(config_load(&program, &sources, &options, &config, list, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_null(config);
    const struct diagnostic *finding = &list->items[0];
    if (!strstr(finding->detail, row->words)) fail_msg("%s", finding->detail);
    if (!strstr(finding->hint, row->hint)) fail_msg("%s: %s", finding->detail, finding->hint);
    if (row->line != 0 && (finding->line != row->line || finding->column != row->column)) {
        fail_msg("%s: %u:%u", finding->detail, finding->line, finding->column);
    }
    assert_true(strlen(error.text) > 0);
}

static status load_flags(const char *const *flags, size_t count, struct options *ret_options,
                         struct config **ret_config)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const struct config_sources sources      = {.flags = flags, .flag_count = count};
    return config_load(&program, &sources, ret_options, ret_config, diagnostics_new(arena), NULL);
}

static void urls_are_one_or_more(void **state)
{
    (void)state;
    static const char *const good[] = {"tcp://a:1", "tcp://a:1, tcp://b:2",
                                       "tcp://a:1 ipc://l,ipc://x"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char flag[100];
        (void)snprintf(flag, sizeof flag, "scheduler.peers=%s", good[i]);
        const char *const flags[]                   = {"scheduler.listen=ipc://x", flag};
        struct options options                      = {};
        CLEANUP(config_freep) struct config *config = NULL;
        assert_int_equal(load_flags(flags, ARRAY_LEN(flags), &options, &config), STATUS_OK);
        assert_string_equal(options.peer_urls, good[i]);
    }
}

static void a_required_option_is_required(void **state)
{
    (void)state;
    struct options options = {};
    struct config *config  = NULL;
    assert_int_equal(load_flags(NULL, 0, &options, &config), STATUS_INVALID_ARGUMENT);
}

/* What was read is known by its stamp, whatever becomes of the file meanwhile. */
static void a_stamp_is_of_what_was_read(void **state)
{
    (void)state;
    CLEANUP(place_done)
    struct place place                          = place_new("scheduler: {listen: 'ipc://x'}\n");
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(config_freep) struct config *config = NULL;
    struct options options                      = {};
    const struct config_sources sources         = {.file = place.file};
    status got = config_load(&program, &sources, &options, &config, diagnostics_new(arena), NULL);
    assert_int_equal(got, STATUS_OK);
    const struct config_stamp before = config_stamp_read(config);
    const struct config_stamp found  = config_stamp_of(config);
    assert_true(before.size > 0 && config_stamp_equal(&before, &found));
    write_file(place.file, "scheduler: {listen: 'ipc://other'}\n");
    const struct config_stamp kept  = config_stamp_read(config);
    const struct config_stamp other = config_stamp_of(config);
    assert_true(config_stamp_equal(&kept, &before) && !config_stamp_equal(&kept, &other));
}

static void a_file_that_is_named_must_be_there(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const struct config_sources sources      = {.file = "/nowhere/tutti.yaml"};
    struct options options                   = {};
    struct config *config                    = NULL;
    struct error error                       = {};
    assert_int_equal(
        config_load(&program, &sources, &options, &config, diagnostics_new(arena), &error),
        STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/tutti.yaml"));
}

static void secrets_may_be_variables_or_files(void **state)
{
    (void)state;
    CLEANUP(place_done) struct place place = place_new("");
    char flag[200];
    (void)snprintf(flag, sizeof flag, "secrets={a: {env: SOME_KEY}, b: {file: %s}, c: 1}",
                   place.secret_file);
    static const struct {
        const char *name;
        const char *value; /* NULL: it cannot be read */
    } cases[] = {{"a", "from-the-environment"}, {"b", "s3cr3t-value"}, {"c", NULL}, {"dir", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char token[64];
        (void)snprintf(token, sizeof token, "scheduler.token.secret=%s", cases[i].name);
        char *const environment[]           = {(char[]){"SOME_KEY=from-the-environment"}, NULL};
        const char *const flags[]           = {"scheduler.listen=ipc://x", flag, token};
        const struct config_sources sources = {
            .environment = environment, .flags = flags, .flag_count = ARRAY_LEN(flags)};
        CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
        CLEANUP(config_freep) struct config *config = NULL;
        struct options options                      = {};
        status code =
            config_load(&program, &sources, &options, &config, diagnostics_new(arena), NULL);
        assert_int_equal(code, cases[i].value ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        if (cases[i].value) assert_string_equal(options.token.value.ptr, cases[i].value);
    }
}

static void a_secret_for_everybody_is_a_warning(void **state)
{
    (void)state;
    CLEANUP(place_done) struct place place = place_new("");
    char dir[200];
    (void)snprintf(dir, sizeof dir, "secrets.dir=%s", place.folder);
    const char *const flags[]           = {"scheduler.listen=ipc://x", dir,
                                           "scheduler.token.secret=the-token"};
    const struct config_sources sources = {.flags = flags, .flag_count = ARRAY_LEN(flags)};
    for (int is_open = 0; is_open <= 1; is_open++) {
        (void)chmod(place.secret_file, is_open ? 0644 : 0640);
        CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
        CLEANUP(config_freep) struct config *config = NULL;
        struct diagnostics *list                    = diagnostics_new(arena);
        struct options options                      = {};
        assert_int_equal(config_load(&program, &sources, &options, &config, list, NULL), STATUS_OK);
        assert_int_equal(list->count, is_open);
        if (is_open) assert_int_equal(list->items[0].severity, SEVERITY_WARNING);
    }
}

static void some_changes_need_a_restart(void **state)
{
    (void)state;
    const char *const before_flags[]  = {"scheduler.listen=ipc://x"};
    const char *const reload_flags[]  = {"scheduler.listen=ipc://x", "scheduler.lease=5s"};
    const char *const restart_flags[] = {"scheduler.listen=ipc://y"};
    CLEANUP(config_freep) struct config *before  = NULL;
    CLEANUP(config_freep) struct config *reload  = NULL;
    CLEANUP(config_freep) struct config *restart = NULL;
    struct options options                       = {};
    assert_int_equal(load_flags(before_flags, 1, &options, &before), STATUS_OK);
    assert_int_equal(load_flags(reload_flags, 2, &options, &reload), STATUS_OK);
    assert_int_equal(load_flags(restart_flags, 1, &options, &restart), STATUS_OK);
    assert_null(config_needs_restart(before, before));
    assert_null(config_needs_restart(before, reload));
    assert_string_equal(config_needs_restart(before, restart), "scheduler.listen");
}

static void the_schema_says_the_same(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    assert_true(config_print_schema(&program, &out));
    CLEANUP(json_unrefp) json source = json_null();
    assert_int_equal(json_parse(buf_str(&out), NULL, &source, NULL, NULL), STATUS_OK);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error error                          = {};
    if (schema_compile(source, NULL, NULL, &schema, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        {"{scheduler: {store: {path: /x, size_max: 1GiB}, lease: 30s, workers: 3}}", true},
        {"{scheduler: {store: {size_max: 0}, token: {secret: x}, providers: {a: 1}}}", true},
        {"{scheduler: {stroe: {}}}", false},
        {"{scheduler: {store: {size_max: 64}}}", false},
        {"{scheduler: {workers: 0}}", false},
        {"{scheduler: {token: x}}", false},
        {"{log: {level: loud}}", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) struct arena *arena           = arena_new(ARENA_MAX);
        CLEANUP(yaml_freep) struct yaml_document *document = NULL;
        assert_int_equal(yaml_parse(str_from(cases[i].text), NULL, &document, NULL), STATUS_OK);
        status code = schema_check(schema, yaml_root(document), arena, NULL, NULL);
        if ((code == STATUS_OK) != cases[i].is_valid) fail_msg("%s", cases[i].text);
    }
}

static void the_manual_lists_every_option(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    assert_true(config_print_manual(&program, &out));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) assert_non_null(strstr(out.ptr, table[i].path));
    assert_non_null(strstr(out.ptr,
                           "| `scheduler.store.size_max` | size, at least 1MiB, at most 1TiB "
                           "| `64GiB` | restart | Largest size. |\n"));
}

static int run_main(char **argv, struct config **ret_config)
{
    struct options options = {};
    int argc               = 0;
    while (argv[argc]) argc++;
    return config_main(&program, argc, argv, NULL, &options, ret_config);
}

static void commands_have_exit_codes(void **state)
{
    (void)state;
    CLEANUP(config_freep) struct config *config = NULL;
    char program_name[]                         = "tutti-test";
    char set[]                                  = "--set";
    char listen[]                               = "scheduler.listen=ipc://x";
    char joined[]                               = "--set=scheduler.workers=0";
    char help[]                                 = "--help";
    char version[]                              = "--version";
    char check[]                                = "--check-config";
    char print[]                                = "--print-config";
    char wrong[]                                = "--frobnicate";
    char tree[]                                 = "scheduler.listen=ipc://refused";
    assert_int_equal(run_main((char *[]){program_name, help, NULL}, &config), 0);
    assert_int_equal(run_main((char *[]){program_name, version, NULL}, &config), 0);
    assert_int_equal(run_main((char *[]){program_name, wrong, NULL}, &config), CONFIG_EXIT_BAD);
    assert_int_equal(run_main((char *[]){program_name, set, NULL}, &config), CONFIG_EXIT_BAD);
    assert_int_equal(run_main((char *[]){program_name, NULL}, &config), CONFIG_EXIT_BAD);
    assert_int_equal(run_main((char *[]){program_name, set, listen, joined, NULL}, &config),
                     CONFIG_EXIT_BAD);
    assert_int_equal(run_main((char *[]){program_name, set, listen, check, NULL}, &config), 0);
    assert_int_equal(run_main((char *[]){program_name, set, tree, check, NULL}, &config),
                     CONFIG_EXIT_BAD);
    assert_int_equal(run_main((char *[]){program_name, set, tree, NULL}, &config), CONFIG_GO);
    config_free(config);
    config = NULL;
    assert_int_equal(run_main((char *[]){program_name, set, listen, print, NULL}, &config), 0);
    assert_null(config);
    assert_int_equal(run_main((char *[]){program_name, set, listen, NULL}, &config), CONFIG_GO);
    assert_non_null(config);
}

int main(void)
{
    struct CMUnitTest mistake_tests[ARRAY_LEN(mistakes)];
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        const struct mistake *row = &mistakes[i];
        mistake_tests[i]          = row_test(row->text ? row->text : row->flag, check_mistake, row);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sources_in_their_order),
        cmocka_unit_test(urls_are_one_or_more),
        cmocka_unit_test(a_required_option_is_required),
        cmocka_unit_test(a_stamp_is_of_what_was_read),
        cmocka_unit_test(a_file_that_is_named_must_be_there),
        cmocka_unit_test(secrets_may_be_variables_or_files),
        cmocka_unit_test(a_secret_for_everybody_is_a_warning),
        cmocka_unit_test(some_changes_need_a_restart),
        cmocka_unit_test(the_schema_says_the_same),
        cmocka_unit_test(the_manual_lists_every_option),
        cmocka_unit_test(commands_have_exit_codes),
    };
    int failed = cmocka_run_group_tests_name("config mistakes", mistake_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
