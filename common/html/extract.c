/* Fields are read into a tree, and run by matching every selector once over the whole document. */
#include "html/extract.h"

#include "base/assert.h"
#include "base/mem.h"
#include "html/selector.h"
#include "http/url.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_BYTES = 120, URL_BYTES_MAX = 16 << 10 };

enum yield { YIELD_TEXT, YIELD_HTML, YIELD_ATTRIBUTE, YIELD_RECORD };

struct field {
    char *name;                /* owned, as the next three */
    struct selector *selector; /* NULL: the record's own element */
    char *attribute;
    struct field *fields;
    size_t field_count;
    enum yield yield;
    bool is_first; /* one value, not a list */
    size_t index;  /* among all fields */
};

struct extraction {
    struct field root; /* a record of the whole document */
    size_t field_count;
    size_t parts; /* of all selectors */
};

/* --- reading ---------------------------------------------------------------------------------- */

struct reading {
    struct extraction *extraction;
    char path[PATH_MAX_BYTES]; /* of the field: "products.name" */
    struct error *reterr;
};

static status refuse(const struct reading *reading, const char *why)
{
    return fail(reading->reterr, STATUS_INVALID_ARGUMENT, "selectors, %s: %s", reading->path, why);
}

static bool is_suffix(str text)
{
    return text.ptr[0] == '@' || str_starts_with(text, str_from("::"));
}

/* Where the suffix begins: an @ or :: that no bracket, quote or backslash protects. */
static size_t suffix_of(str text)
{
    char quote = 0;
    int depth  = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\') {
            i++;
        } else if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '[' || c == '(') {
            depth++;
        } else if (c == ']' || c == ')') {
            depth--;
        } else if (depth == 0 && is_suffix(str_slice(text, i, text.len))) {
            return i;
        }
    }
    return text.len;
}

static status read_suffix(struct reading *reading, str suffix, struct field *field)
{
    suffix = str_trim(suffix, STR_SPACE);
    if (suffix.len == 0 || str_is(suffix, "::text")) return STATUS_OK;
    if (str_is(suffix, "::html")) {
        field->yield = YIELD_HTML;
        return STATUS_OK;
    }
    if (suffix.ptr[0] == ':') return refuse(reading, "behind :: stands text or html");
    str name = str_slice(suffix, 1, suffix.len);
    if (name.len == 0) return refuse(reading, "the name of an attribute is missing behind @");
    field->yield     = YIELD_ATTRIBUTE;
    field->attribute = mem_dup(name.ptr, name.len);
    for (char *c = field->attribute; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    }
    return STATUS_OK;
}

static status read_selector(struct reading *reading, str text, bool is_nested, struct field *field)
{
    size_t at    = suffix_of(text);
    str selector = str_trim(str_slice(text, 0, at), STR_SPACE);
    TRY(read_suffix(reading, str_slice(text, at, text.len), field));
    if (selector.len == 0) {
        if (!is_nested) return refuse(reading, "a selector is missing");
        field->is_first = true;
        return STATUS_OK;
    }
    struct error why = {};
    if (selector_parse(selector, &field->selector, &why) != STATUS_OK) {
        return refuse(reading, why.text);
    }
    reading->extraction->parts += selector_parts(field->selector);
    return STATUS_OK;
}

static status read_fields(struct reading *reading, json fields, size_t depth, struct field *record);

/* {all | first, fields?} */
static status read_object(struct reading *reading, json given, size_t depth, struct field *field)
{
    for (size_t i = 0; i < json_count(given); i++) {
        str key = json_key_at(given, i);
        if (!str_is(key, "all") && !str_is(key, "first") && !str_is(key, "fields")) {
            return refuse(reading, "it holds `all` or `first`, and `fields` if it is a record");
        }
    }
    json all        = json_get_text(given, "all");
    json first      = json_get_text(given, "first");
    json fields     = json_get_text(given, "fields");
    field->is_first = !json_is(first, JSON_INVALID);
    json selector   = field->is_first ? first : all;
    bool is_one     = json_is(all, JSON_INVALID) != json_is(first, JSON_INVALID);
    if (!is_one || !json_is(selector, JSON_TEXT)) {
        return refuse(reading, "it holds `all` or `first` with a selector");
    }
    TRY(read_selector(reading, json_str(selector), depth > 1, field));
    if (json_is(fields, JSON_INVALID)) return STATUS_OK;
    if (!field->selector || field->yield != YIELD_TEXT) {
        return refuse(reading, "a record has a selector without @ or ::");
    }
    field->yield = YIELD_RECORD;
    return read_fields(reading, fields, depth, field);
}

static status read_field(struct reading *reading, json given, size_t depth, struct field *field)
{
    if (reading->extraction->field_count == EXTRACT_FIELDS_MAX) {
        return refuse(reading, "there are too many fields");
    }
    field->index = reading->extraction->field_count++;
    if (json_is(given, JSON_OBJECT)) return read_object(reading, given, depth, field);
    if (!json_is(given, JSON_TEXT)) return refuse(reading, "a selector is a text or a map");
    return read_selector(reading, json_str(given), depth > 1, field);
}

static status read_fields(struct reading *reading, json fields, size_t depth, struct field *record)
{
    if (!json_is(fields, JSON_OBJECT)) return refuse(reading, "fields are a map");
    if (depth == EXTRACT_DEPTH_MAX) return refuse(reading, "there are too many levels of records");
    size_t count = json_count(fields);
    if (count > EXTRACT_FIELDS_MAX) return refuse(reading, "there are too many fields");
    size_t path_len     = strlen(reading->path);
    record->fields      = mem_new(count + 1, sizeof *record->fields);
    record->field_count = count;
    for (size_t i = 0; i < count; i++) {
        str name               = json_key_at(fields, i);
        record->fields[i].name = mem_dup(name.ptr, name.len);
        (void)snprintf(reading->path + path_len, sizeof reading->path - path_len, "%s%.60s",
                       path_len > 0 ? "." : "", record->fields[i].name);
        TRY(read_field(reading, json_value_at(fields, i), depth + 1, &record->fields[i]));
        reading->path[path_len] = '\0';
    }
    return STATUS_OK;
}

status extraction_read(json fields, struct extraction **ret_extraction, struct error *reterr)
{
    CLEANUP(extraction_freep) struct extraction *extraction = mem_new(1, sizeof *extraction);
    struct reading reading = {.extraction = extraction, .reterr = reterr};
    extraction->root.yield = YIELD_RECORD;
    TRY(read_fields(&reading, fields, 0, &extraction->root));
    *ret_extraction = TAKE(extraction);
    return STATUS_OK;
}

/* Calls itself for records within records: EXTRACT_DEPTH_MAX. */
static void field_done(struct field *field)
{
    for (size_t i = 0; i < field->field_count; i++) field_done(&field->fields[i]);
    free(field->fields);
    free(field->name);
    free(field->attribute);
    selector_free(field->selector);
}

void extraction_free(struct extraction *extraction)
{
    if (!extraction) return;
    field_done(&extraction->root);
    free(extraction);
}

void extraction_freep(struct extraction **extraction)
{
    extraction_free(*extraction);
}

/* --- running ---------------------------------------------------------------------------------- */

struct run {
    const struct extraction *extraction;
    const struct html_document *document;
    struct html_matches *matches; /* by the index of a field */
    struct buf base;
    struct buf text; /* of the value that is being made */
    size_t values, bytes, visits;
    struct error *reterr;
};

static status too_much(const struct run *run, const char *what, int max)
{
    return fail(run->reterr, STATUS_RESOURCE_EXHAUSTED, "what was found has more than %d %s", max,
                what);
}

static bool is_address(const char *attribute)
{
    static const char *const names[] = {"href",   "src",  "action",     "formaction",
                                        "poster", "cite", "background", "data"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(attribute, names[i]) == 0) return true;
    }
    return false;
}

/* What is below many matches is visited for each of them, and need not yield a byte. */
static status visit(struct run *run, uint32_t node)
{
    run->visits += html_nodes(run->document)[node].end - node;
    if (run->visits <= EXTRACT_VISITS_MAX) return STATUS_OK;
    return too_much(run, "nodes to be read", EXTRACT_VISITS_MAX);
}

static status count_value(struct run *run)
{
    if (++run->values <= EXTRACT_VALUES_MAX) return STATUS_OK;
    return too_much(run, "values", EXTRACT_VALUES_MAX);
}

/* Leaves JSON_NULL for an attribute that is not there. */
static status yield_text(struct run *run, const struct field *field, uint32_t node, json *ret_value)
{
    struct buf *text = &run->text;
    str value        = {};
    buf_clear(text);
    if (field->yield != YIELD_ATTRIBUTE) TRY(visit(run, node));
    switch (field->yield) {
    case YIELD_ATTRIBUTE:
        if (!html_attribute(run->document, node, str_from(field->attribute), &value)) {
            return STATUS_OK;
        }
        if (run->base.len == 0 || !is_address(field->attribute) ||
            !url_resolve(buf_str(&run->base), value, text)) {
            buf_clear(text);
            (void)buf_put_str(text, value);
        }
        break;
    case YIELD_HTML: (void)html_put_source(run->document, node, text); break;
    default: (void)html_put_text(run->document, node, text); break;
    }
    run->bytes += text->len;
    if (text->is_full || run->bytes > EXTRACT_SIZE_MAX) {
        return too_much(run, "bytes", EXTRACT_SIZE_MAX);
    }
    *ret_value = json_text_lossy(buf_str(text));
    return STATUS_OK;
}

static status yield_record(struct run *run, const struct field *record, uint32_t node,
                           json *ret_record);

static status yield_one(struct run *run, const struct field *field, uint32_t node, json *ret_value)
{
    *ret_value = json_null();
    if (field->yield == YIELD_RECORD) return yield_record(run, field, node, ret_value);
    return yield_text(run, field, node, ret_value);
}

static status yield_list(struct run *run, const struct field *field, uint32_t node, json *ret_value)
{
    const struct html_matches *matches = &run->matches[field->index];
    CLEANUP(json_unrefp) json list     = json_array_new(0);
    size_t count;
    size_t first = html_matches_below(matches, run->document, node, &count);
    for (size_t i = first; i < first + count; i++) {
        json value  = json_null();
        status code = count_value(run);
        if (code == STATUS_OK) code = yield_one(run, field, matches->nodes[i], &value);
        if (code != STATUS_OK) {
            json_unref(value);
            return code;
        }
        if (!json_is(value, JSON_NULL)) json_array_push(&list, value);
    }
    *ret_value = json_take(&list);
    return STATUS_OK;
}

static status yield_field(struct run *run, const struct field *field, uint32_t node,
                          json *ret_value)
{
    if (!field->selector) return yield_one(run, field, node, ret_value);
    if (!field->is_first) return yield_list(run, field, node, ret_value);
    const struct html_matches *matches = &run->matches[field->index];
    size_t count;
    size_t first = html_matches_below(matches, run->document, node, &count);
    if (count > 0) return yield_one(run, field, matches->nodes[first], ret_value);
    *ret_value = json_null();
    return STATUS_OK;
}

/* Calls itself for records within records: EXTRACT_DEPTH_MAX. */
static status yield_record(struct run *run, const struct field *record, uint32_t node,
                           json *ret_record)
{
    CLEANUP(json_unrefp) json object = json_object_new(record->field_count);
    for (size_t i = 0; i < record->field_count; i++) {
        json value  = json_null();
        status code = count_value(run);
        if (code == STATUS_OK) code = yield_field(run, &record->fields[i], node, &value);
        if (code != STATUS_OK) {
            json_unref(value);
            return code;
        }
        json_object_put_text(&object, record->fields[i].name, value);
    }
    *ret_record = json_take(&object);
    return STATUS_OK;
}

static void match_all(struct run *run, const struct field *record)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct field *field = &record->fields[i];
        if (field->selector) {
            selector_match(field->selector, run->document, &run->matches[field->index]);
        }
        match_all(run, field);
    }
}

status extraction_run(const struct extraction *extraction, const struct html_document *document,
                      str url, json *ret_data, size_t *ret_bytes, struct error *reterr)
{
    if ((uint64_t)extraction->parts * html_node_count(document) > EXTRACT_WORK_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "the page is too large for so many selectors");
    }
    struct run run = {.extraction = extraction,
                      .document   = document,
                      .matches    = mem_new(extraction->field_count + 1, sizeof *run.matches),
                      .base       = buf_init(URL_BYTES_MAX),
                      .text       = buf_init(EXTRACT_SIZE_MAX),
                      .reterr     = reterr};
    if (url.len > 0) (void)html_put_base(document, url, &run.base);
    match_all(&run, &extraction->root);
    status code = yield_record(&run, &extraction->root, 0, ret_data);
    *ret_bytes  = run.bytes;
    for (size_t i = 0; i < extraction->field_count; i++) html_matches_done(&run.matches[i]);
    free(run.matches);
    buf_done(&run.base);
    buf_done(&run.text);
    return code;
}

bool html_put_base(const struct html_document *document, str url, struct buf *out)
{
    const struct html_node *nodes = html_nodes(document);
    uint32_t base                 = html_name_number(document, str_from("base"));
    for (uint32_t i = 1; i < html_node_count(document) && base != HTML_NO_NAME; i++) {
        str href;
        if (nodes[i].kind != HTML_ELEMENT || nodes[i].name != base) continue;
        if (!html_attribute(document, i, str_from("href"), &href)) continue;
        if (url_resolve(url, href, out)) return true;
        break;
    }
    return buf_put_str(out, url);
}
