/*
 * `use.catalogs`: functions that are documents. `name:version@catalog` is the document at
 * `<endpoint>/functions/<name>/<version>/function.yaml`, a URL is the document itself, and either
 * is a task like one of `use.functions`.
 */
#include "workflow/catalog.h"
#include "workflow/catalog_url.h"
#include "workflow/compile.h"
#include "workflow/link.h"
#include "workflow/task_read.h"
#include "workflow/use.h"

#include "base/assert.h"
#include "schema/schema.h"
#include "json/json_pointer.h"

enum {
    CATALOGS_MAX = 64, /* of one definition */
    URL_MAX      = 4 << 10,
};

struct own_catalog {
    struct own_catalog *next;
    str name;
    struct fixed_endpoint endpoint;
    const char *pointer;
    bool is_used;
};

/* --- declaring -------------------------------------------------------------------------------- */

static const struct field catalog_fields[] = {
    {"endpoint", fixed_endpoint_read, offsetof(struct own_catalog, endpoint), REQUIRED},
};
static const struct synonym catalog_synonyms[] = {
    {"uri", "endpoint"},
    {"url", "endpoint"},
    {},
};
static const struct object_kind catalog_kind = {
    .what        = "a catalog",
    .fields      = catalog_fields,
    .field_count = ARRAY_LEN(catalog_fields),
    .synonyms    = catalog_synonyms,
};

static const char *pointer_keep(struct reader *reader)
{
    str pointer = buf_str(&reader->pointer);
    char *copy  = scratch_alloc(reader, pointer.len + 1, 1);
    memcpy(copy, pointer.ptr, pointer.len);
    return copy;
}

static void catalog_read(struct reader *reader, str name, json value, struct own_catalog **end)
{
    struct own_catalog *catalog = scratch_alloc(reader, 1, sizeof *catalog);
    *catalog = (struct own_catalog){.name = name, .pointer = pointer_keep(reader)};
    if (!object_read(reader, &catalog_kind, value, catalog)) return;
    *end = catalog;
    if (catalog->endpoint.uri.len > 0) {
        size_t back = pointer_enter(reader, str_from("endpoint"));
        if (!link_url_check(reader, catalog->endpoint.uri)) catalog->endpoint.uri.len = 0;
        pointer_leave(reader, back);
    }
    if (!str_is(name, "default")) return;
    struct diagnostic *finding =
        warn(reader, "V43", key_place(reader),
             "`default` replaces the catalog of this server: its functions are not found any more");
    hint(reader, finding, "give the catalog another name, and call `name:version@catalog`");
}

void catalogs_read(struct reader *reader, json value, void *)
{
    if (!expect_kind(reader, value, JSON_OBJECT, "a group of `use`")) return;
    if (json_count(value) > CATALOGS_MAX) {
        refuse(reader, "V01", value_place(reader), "`use` declares at most %d catalogs",
               CATALOGS_MAX);
        return;
    }
    struct own_catalog **end = &reader->catalogs;
    for (size_t i = 0; i < json_count(value); i++) {
        size_t back = pointer_enter(reader, json_key_at(value, i));
        catalog_read(reader, json_key_at(value, i), json_value_at(value, i), end);
        if (*end) end = &(*end)->next;
        pointer_leave(reader, back);
    }
}

void catalogs_finish(struct reader *reader)
{
    if (reader->list->errors > reader->errors_before) return; /* who names it may be refused */
    for (struct own_catalog *c = reader->catalogs; c; c = c->next) {
        if (c->is_used) continue;
        struct jump jump = pointer_jump(reader, str_from(c->pointer));
        struct diagnostic *finding =
            warn(reader, "V43", key_place(reader), "nobody uses the catalog `" STR_FMT "`",
                 STR_ARG(shown(c->name)));
        hint(reader, finding, "remove it, or name it where it is meant");
        pointer_return(reader, &jump);
    }
}

/* --- finding ---------------------------------------------------------------------------------- */

struct own_catalog *catalog_find(struct reader *reader, str name)
{
    if (name.len == 0) name = str_from("default");
    struct own_catalog *catalog = reader->catalogs;
    while (catalog && !str_equal(catalog->name, name)) catalog = catalog->next;
    if (catalog) catalog->is_used = true;
    return catalog;
}

void catalog_refuse(struct reader *reader, str name)
{
    const char *names[CATALOGS_MAX + 1] = {"default"};
    size_t count                        = 1;
    for (struct own_catalog *c = reader->catalogs; c; c = c->next) names[count++] = c->name.ptr;
    struct diagnostic *finding =
        refuse(reader, "V13", value_place(reader),
               "there is no catalog `" STR_FMT "` in `use.catalogs`", STR_ARG(shown(name)));
    const char *near = nearest_name(name, names, count);
    if (near) {
        hint(reader, finding, "did you mean `%s`?", near);
    } else {
        hint(reader, finding, "declare it: `use: { catalogs: { " STR_FMT ": { endpoint: … } } }`",
             STR_ARG(shown(name)));
    }
}

/* A name or version that is one segment of a path, and not one that leads elsewhere. */
static bool is_segment(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c       = text.ptr[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '+';
        if (!is_fine) return false;
    }
    return text.len > 0 && text.ptr[0] != '.';
}

/* --- functions -------------------------------------------------------------------------------- */

static const char *text_keep(struct reader *reader, str text)
{
    char *copy = reader_alloc(reader, text.len + 1, 1);
    memcpy(copy, text.ptr, text.len);
    return copy;
}

/* What its callers' `with` is checked against beforehand; NULL: its schema cannot say it here. */
static const struct arguments *arguments_of_link(struct reader *reader, const char *name,
                                                 const struct link *link)
{
    json source           = json_pointer_get(link->value, str_from("/input/schema/document"));
    struct schema *schema = NULL;
    if (json_is(source, JSON_INVALID)) return NULL;
    if (schema_compile(source, NULL, NULL, &schema, NULL) != STATUS_OK) return NULL;
    schema_free(schema);
    return arguments_of(reader, name, source);
}

/* The task in an open document; nothing that could be called if the document is not there yet. */
static const struct function *function_of_link(struct reader *reader, const struct link *link,
                                               str name)
{
    struct function *function = scratch_alloc(reader, 1, sizeof *function);
    *function                 = (struct function){.name      = text_keep(reader, name),
                                                  .queue     = "",
                                                  .with_read = any_with_read,
                                                  .is_linked = true};
    if (link->state != LINK_OPEN) return function;
    struct borrowed_task *task = scratch_alloc(reader, 1, sizeof *task);

    task->name          = function->name;
    task->source        = &link->source;
    task->pointer       = "";
    task->definition    = link->value;
    function->task      = task;
    function->with_read = function_with_read;
    function->arguments = arguments_of_link(reader, function->name, link);
    return function;
}

const struct function *function_at_url(struct reader *reader, str reference)
{
    CLEANUP(buf_done) struct buf url = buf_init(URL_MAX);
    CLEANUP(buf_done) struct buf raw = buf_init(URL_MAX);
    if (!link_url(reader, reference, "the function", &url)) return NULL;
    if (!catalog_raw_url(buf_str(&url), &raw)) return NULL; /* as long as `url` at most by far */
    const struct link *link = link_open(reader, buf_str(&raw), NULL);
    if (!link) return NULL;
    link_refuse(reader, link);
    if (link->state != LINK_OPEN && link->state != LINK_NEEDED) return NULL;
    return function_of_link(reader, link, catalog_function_name(str_from(link->source.url)));
}

/* The catalog was asked, and has none of this name and version. */
static void refuse_missing(struct reader *reader, const struct own_catalog *catalog,
                           const struct function_selector *selector, const struct link *link)
{
    struct diagnostic *finding =
        refuse(reader, "V14", value_place(reader),
               "the catalog `" STR_FMT "` does not give the function `" STR_FMT ":" STR_FMT
               "`: `%.300s`: %s",
               STR_ARG(shown(catalog->name)), STR_ARG(shown(selector->name)),
               STR_ARG(shown(selector->version)), link->source.url, link->failure);
    const char *near = nearest_function(reader, selector->name);
    if (near && !str_is(selector->name, near)) {
        hint(reader, finding, "did you mean `%s`?", near);
    } else {
        hint(reader, finding,
             "name and version are folders of the catalog: "
             "`functions/<name>/<version>/function.yaml`");
    }
}

const struct function *function_of_catalog(struct reader *reader, struct own_catalog *catalog,
                                           const struct function_selector *selector)
{
    if (catalog->endpoint.uri.len == 0) return NULL; /* refused */
    struct diagnostic *finding = NULL;
    if (selector->version.len == 0) {
        finding = refuse(reader, "V14", value_place(reader),
                         "`" STR_FMT "` needs its version: nobody lists what the catalog `" STR_FMT
                         "` has",
                         STR_ARG(shown(selector->name)), STR_ARG(shown(catalog->name)));
        hint(reader, finding, "`" STR_FMT ":1.0.0@" STR_FMT "`", STR_ARG(shown(selector->name)),
             STR_ARG(shown(catalog->name)));
        return NULL;
    }
    if (!is_segment(selector->name) || !is_segment(selector->version)) {
        refuse(reader, "V14", value_place(reader),
               "name and version of a function are letters, digits, `.`, `_`, `+` and `-`");
        return NULL;
    }
    CLEANUP(buf_done) struct buf url = buf_init(URL_MAX);
    bool fits =
        catalog_function_url(catalog->endpoint.uri, selector->name, selector->version, &url);
    ASSERT(fits); /* the parts are limited */
    const struct link *link = link_open(reader, buf_str(&url), catalog->endpoint.authentication);
    if (!link) return NULL;
    if (link->state == LINK_FAILED) {
        refuse_missing(reader, catalog, selector, link);
        return NULL;
    }
    link_refuse(reader, link);
    if (link->state != LINK_OPEN && link->state != LINK_NEEDED) return NULL;
    return function_of_link(reader, link, selector->name);
}
