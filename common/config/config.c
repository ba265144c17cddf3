/* Loading: all sources in their order, then defaults, then the service's struct. */
#include "config/config.h"

#include "base/assert.h"
#include "base/mem.h"
#include "config/config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ARENA_MAX = 4 << 20 }; /* bytes of texts, lists and secrets */

static const char *const log_levels[]  = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"auto", "json", "text", NULL};

const struct config_option config_common_options[CONFIG_COMMON_COUNT] = {
    {.path     = "log.level",
     .kind     = CONFIG_ENUM,
     .offset   = offsetof(struct config_common, log_level),
     .fallback = "info",
     .names    = log_levels,
     .flags    = CONFIG_RELOADABLE,
     .doc      = "The least level that is logged."},
    {.path     = "log.format",
     .kind     = CONFIG_ENUM,
     .offset   = offsetof(struct config_common, log_format),
     .fallback = "auto",
     .names    = log_formats,
     .doc      = "JSON or text; auto is text on a terminal."},
    {.path   = "secrets",
     .kind   = CONFIG_TREE,
     .offset = offsetof(struct config_common, secrets),
     .flags  = CONFIG_RELOADABLE,
     .doc    = "Where secrets are: `dir`, or for each name `{file: PATH}` or `{env: NAME}`."},
};

const char *config_keep(struct config *config, str text)
{
    const char *copy = arena_strdup(config->arena, text);
    return copy ? copy : "";
}

static struct config *config_new(const struct config_program *program)
{
    struct config *config = mem_new(1, sizeof *config);
    config->arena         = arena_new(ARENA_MAX);
    config->program       = program;
    for (size_t i = 0; i < program->set_count; i++) config->count += program->sets[i].count;
    config->values = mem_new(config->count, sizeof *config->values);
    size_t at      = 0;
    for (size_t i = 0; i < program->set_count; i++) {
        const struct config_set *set = &program->sets[i];
        for (size_t k = 0; k < set->count; k++) {
            config->values[at++] = (struct config_value){
                .option = &set->options[k],
                .offset = set->base + set->options[k].offset,
            };
        }
    }
    return config;
}

void config_free(struct config *config)
{
    if (!config) return;
    for (size_t i = 0; i < config->count; i++) json_unref(config->values[i].value);
    free(config->values);
    yaml_document_free(config->document);
    arena_free(config->arena);
    free(config);
}

void config_freep(struct config **config)
{
    config_free(*config);
}

struct config_stamp config_stamp_of(const struct config *config)
{
    enum { NS_PER_S = 1'000'000'000 };
    const char *file  = config_sources_of(config)->file;
    struct stat found = {};
    if (!file || stat(file, &found) != 0) return (struct config_stamp){};
    return (struct config_stamp){.changed_ns = (int64_t)found.st_mtim.tv_sec * NS_PER_S +
                                               found.st_mtim.tv_nsec,
                                 .size  = (uint64_t)found.st_size,
                                 .inode = found.st_ino};
}

struct config_stamp config_stamp_read(const struct config *config)
{
    return config->stamp;
}

bool config_stamp_equal(const struct config_stamp *a, const struct config_stamp *b)
{
    return a->changed_ns == b->changed_ns && a->size == b->size && a->inode == b->inode;
}

const struct config_sources *config_sources_of(const struct config *config)
{
    return &config->sources;
}

/* Copies what must outlive the call. */
static void keep_sources(struct config *config, const struct config_sources *sources)
{
    ASSERT(sources->flag_count <= CONFIG_FLAGS_MAX);
    config->sources    = *sources;
    const char **flags = arena_alloc(config->arena, (sources->flag_count + 1) * sizeof *flags);
    ASSERT(flags != NULL);
    for (size_t i = 0; i < sources->flag_count; i++) {
        flags[i] = config_keep(config, str_from(sources->flags[i]));
    }
    config->sources.flags = flags;
    if (sources->file) config->sources.file = config_keep(config, str_from(sources->file));
}

static void closep(FILE **file)
{
    if (*file) (void)fclose(*file);
}

static status read_file(struct config_loader *loader, struct error *reterr)
{
    const char *path = loader->config->sources.file;
    if (!path) return STATUS_OK;
    CLEANUP(closep) FILE *file = fopen(path, "re");
    if (!file) return fail(reterr, STATUS_NOT_FOUND, "%.200s: %m", path);
    CLEANUP(buf_done) struct buf text = buf_init(CONFIG_SIZE_MAX + 1);
    char *to                          = buf_reserve(&text, CONFIG_SIZE_MAX + 1);
    size_t size                       = fread(to, 1, CONFIG_SIZE_MAX + 1, file);
    if (ferror(file)) return fail(reterr, STATUS_NOT_FOUND, "%.200s: %m", path);
    buf_commit(&text, size);
    config_read_file(loader, buf_str(&text)); /* which finds that a file is too large */
    return STATUS_OK;
}

static void take_default(struct config_loader *loader, struct config_value *value)
{
    const struct config_option *option = value->option;
    if (!json_is(value->value, JSON_INVALID)) return;
    if (!option->fallback && option->kind == CONFIG_TREE) value->value = json_object_new(0);
    if (!option->fallback) {
        if (option->flags & CONFIG_REQUIRED) {
            struct config_source none = {.pointer = ""};
            config_loader_found(loader, &none, option->doc, "`%s` must be set", option->path);
        }
        return;
    }
    CLEANUP(json_unrefp) json given = json_text_from(option->fallback);
    const char *hint                = "";
    const char *problem =
        config_convert(option, given, true, loader->config->arena, &value->value, &hint);
    ASSERT(!problem); /* a default that its own option refuses */
    value->source.origin = CONFIG_FROM_DEFAULT;
}

static void read_secret(struct config_loader *loader, const struct config_value *value,
                        void *options)
{
    if (value->option->kind != CONFIG_SECRET || json_is(value->value, JSON_INVALID)) return;
    struct config_secret *field = (struct config_secret *)((char *)options + value->offset);
    struct arena *arena         = loader->config->arena;
    str name                    = json_str(value->value);
    struct error error          = {};
    if (config_named_secret(loader->config, name, arena, &field->value, &error) != STATUS_OK) {
        config_loader_found(loader, &value->source, "", "`%s`: %s", value->option->path,
                            error.text);
        return;
    }
    const char *path = config_open_secret(loader->config, name, arena);
    if (!path) return;
    struct diagnostic *finding =
        diagnostics_add(loader->list, "", SEVERITY_WARNING, (str){}, 0, 0,
                        "`%s`: everybody may read %s", value->option->path, path);
    diagnostic_hint(loader->list, finding, "chmod o-r %s", path);
}

/* The first finding in one line, for those who get no list. */
static status first_error(const struct config *config, const struct diagnostics *list,
                          struct error *reterr)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *finding = &list->items[i];
        if (finding->severity != SEVERITY_ERROR) continue;
        if (finding->line == 0) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "configuration: %.200s", finding->detail);
        }
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%.80s:%u:%u: %.120s", config->sources.file,
                    finding->line, finding->column, finding->detail);
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "configuration: too many findings");
}

status config_load(const struct config_program *program, const struct config_sources *sources,
                   void *ret_options, struct config **ret_config, struct diagnostics *list,
                   struct error *reterr)
{
    ASSERT(list);
    CLEANUP(config_freep) struct config *config = config_new(program);
    struct config_loader loader                 = {.config = config, .list = list};
    keep_sources(config, sources);
    config->stamp = config_stamp_of(config);
    TRY(read_file(&loader, reterr));
    config_read_environment(&loader);
    config_read_flags(&loader);
    for (size_t i = 0; i < config->count; i++) {
        struct config_value *value = &config->values[i];
        take_default(&loader, value);
        if (value->option->kind == CONFIG_TREE) config_find_literals(&loader, value);
    }
    if (list->errors > 0) return first_error(config, list, reterr);
    for (size_t i = 0; i < config->count; i++) {
        config_fill(&config->values[i], config->arena, ret_options);
        read_secret(&loader, &config->values[i], ret_options);
    }
    if (list->errors > 0) return first_error(config, list, reterr);
    *ret_config = TAKE(config);
    return STATUS_OK;
}

const char *config_needs_restart(const struct config *before, const struct config *after)
{
    ASSERT(before->program == after->program);
    for (size_t i = 0; i < before->count; i++) {
        const struct config_option *option = before->values[i].option;
        json a                             = before->values[i].value;
        json b                             = after->values[i].value;
        if (option->flags & CONFIG_RELOADABLE) continue;
        bool is_same = json_is(a, JSON_INVALID) ? json_is(b, JSON_INVALID) : json_equal(a, b);
        if (!is_same) return option->path;
    }
    return NULL;
}

void config_found(const struct config *config, struct diagnostics *list, str pointer,
                  const char *hint, const char *format, ...)
{
    enum { DETAIL_MAX = 500 }; /* bytes */
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);

    struct yaml_place place = {};
    if (config->document) place = yaml_place_of(config->document, pointer);
    struct diagnostic *finding =
        diagnostics_add(list, "", SEVERITY_ERROR, pointer, place.line, place.column, "%s", detail);
    if (*hint) diagnostic_hint(list, finding, "%s", hint);
}
