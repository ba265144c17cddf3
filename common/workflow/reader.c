#include "workflow/reader.h"

#include "base/assert.h"
#include "base/mem.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DETAIL_MAX = 1024, /* bytes; diagnostic.c cuts there too */
    MEANT_MAX  = 8,    /* keys of one object that are taken for others */
    NAMES_MAX  = 64,   /* keys of one object that are compared for "did you mean" */
};

/* --- memory ----------------------------------------------------------------------------------- */

static void *alloc_from(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    ASSERT(!__builtin_mul_overflow(count, size, &total));
    void *memory = arena_alloc(arena, total ? total : 1);
    ASSERT(memory != NULL); /* nodes, tasks and texts of a definition are bounded far below */
    return memory;
}

void *reader_alloc(struct reader *reader, size_t count, size_t size)
{
    return alloc_from(reader->arena, count, size);
}

void *scratch_alloc(struct reader *reader, size_t count, size_t size)
{
    return alloc_from(reader->scratch, count, size);
}

struct holding *reader_hold(struct reader *reader, enum holding_kind kind)
{
    struct holding *holding    = reader_alloc(reader, 1, sizeof *holding);
    holding->kind              = kind;
    holding->next              = reader->compiled->holdings;
    reader->compiled->holdings = holding;
    return holding;
}

status reader_copy(struct reader *reader, json value, json *ret_copy, struct error *reterr)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    json copy                      = json_invalid();
    TRY(json_parse(json_str(text), NULL, &copy, NULL, reterr));
    *ret_copy                                = json_freeze(copy);
    reader_hold(reader, HOLDING_JSON)->value = *ret_copy;
    return STATUS_OK;
}

/* --- where ------------------------------------------------------------------------------------ */

/* The buffer keeps room for the longest step, so that a full one is seen before it is cut. */
static bool pointer_has_room(struct reader *reader, size_t len)
{
    bool fits = reader->pointer.len + 2 * len + 2 < POINTER_MAX;
    if (!fits && !reader->is_too_long) {
        reader->is_too_long = true;
        refuse(reader, "V01", value_place(reader), "names on the way here have more than %d bytes",
               POINTER_MAX);
    }
    return fits;
}

size_t pointer_enter(struct reader *reader, str key)
{
    size_t back = reader->pointer.len;
    if (pointer_has_room(reader, key.len)) (void)json_pointer_add(&reader->pointer, key);
    return back;
}

size_t pointer_enter_index(struct reader *reader, size_t index)
{
    size_t back = reader->pointer.len;
    if (pointer_has_room(reader, sizeof "4294967295")) {
        (void)json_pointer_add_index(&reader->pointer, index);
    }
    return back;
}

void pointer_leave(struct reader *reader, size_t back)
{
    ASSERT(back <= reader->pointer.len);
    reader->pointer.len = back;
    if (reader->pointer.ptr) reader->pointer.ptr[back] = '\0';
}

struct jump pointer_jump(struct reader *reader, str pointer)
{
    str here         = buf_str(&reader->pointer);
    struct jump jump = {.pointer = mem_dup(here.ptr, here.len)};
    buf_clear(&reader->pointer);
    (void)buf_put_str(&reader->pointer, pointer);
    return jump;
}

void pointer_return(struct reader *reader, struct jump *jump)
{
    buf_clear(&reader->pointer);
    (void)buf_put_text(&reader->pointer, jump->pointer);
    free(jump->pointer);
    jump->pointer = NULL;
}

/* Of a document without lines of its own. */
static const struct yaml_place top = {.line = 1, .column = 1};

struct yaml_place value_place(const struct reader *reader)
{
    if (!reader->source->yaml) return top;
    return yaml_place_of(reader->source->yaml, buf_str(&reader->pointer));
}

struct yaml_place key_place(const struct reader *reader)
{
    if (!reader->source->yaml) return top;
    return yaml_key_place(reader->source->yaml, buf_str(&reader->pointer));
}

struct yaml_place text_place(const struct reader *reader, size_t offset)
{
    if (!reader->source->yaml) return top;
    return yaml_place_in(reader->source->yaml, buf_str(&reader->pointer), offset);
}

/* --- findings --------------------------------------------------------------------------------- */

static bool is_known(const struct diagnostics *list, const struct diagnostic *finding)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *other = &list->items[i];
        if (other->line == finding->line && other->column == finding->column &&
            strcmp(other->code, finding->code) == 0 &&
            strcmp(other->detail, finding->detail) == 0) {
            return true;
        }
    }
    return false;
}

static struct diagnostic *report(struct reader *reader, const char *code, enum severity severity,
                                 struct yaml_place where, const char *detail)
{
    const struct source *source = reader->source;
    str pointer                 = buf_str(&reader->pointer);
    char abroad[DETAIL_MAX];
    if (source->url) {
        if (source->yaml || pointer.len == 0) {
            (void)snprintf(abroad, sizeof abroad, "%.200s:%u:%u: %.*s", source->url, where.line,
                           where.column, DETAIL_MAX - 240, detail);
        } else {
            (void)snprintf(abroad, sizeof abroad, "%.200s, %.*s: %.*s", source->url,
                           pointer.len < 200 ? (int)pointer.len : 200, pointer.ptr,
                           DETAIL_MAX - 440, detail);
        }
        detail  = abroad;
        where   = source->where;
        pointer = str_from(source->pointer);
    }
    struct diagnostic finding = {
        .code = code, .line = where.line, .column = where.column, .detail = detail};
    if (is_known(reader->list, &finding)) return NULL;
    return diagnostics_add(reader->list, code, severity, pointer, where.line, where.column, "%s",
                           detail);
}

struct diagnostic *refuse(struct reader *reader, const char *code, struct yaml_place where,
                          const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return report(reader, code, SEVERITY_ERROR, where, detail);
}

struct diagnostic *warn(struct reader *reader, const char *code, struct yaml_place where,
                        const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return report(reader, code, SEVERITY_WARNING, where, detail);
}

void hint(struct reader *reader, struct diagnostic *finding, const char *format, ...)
{
    char text[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    diagnostic_hint(reader->list, finding, "%s", text);
}

void refuse_unsupported(struct reader *reader, const char *code, str what)
{
    struct diagnostic *finding = refuse(reader, code, key_place(reader),
                                        "`" STR_FMT "` is not supported yet", STR_ARG(shown(what)));
    hint(reader, finding, ROADMAP_HINT);
}

str shown(str text)
{
    if (text.len <= SHOWN_MAX) return text;
    size_t len = SHOWN_MAX;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80) len--;
    return str_slice(text, 0, len);
}

/* --- tables ----------------------------------------------------------------------------------- */

static const struct field *field_find(const struct object_kind *kind, str key)
{
    for (; kind; kind = kind->base) {
        for (size_t i = 0; i < kind->field_count; i++) {
            if (str_is(key, kind->fields[i].key)) return &kind->fields[i];
        }
    }
    return NULL;
}

static const char *right_key(const struct object_kind *kind, str key)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (; kind; kind = kind->base) {
        for (const struct synonym *s = kind->synonyms; s && s->wrong; s++) {
            if (str_is(key, s->wrong)) return s->right;
        }
        for (size_t i = 0; i < kind->field_count && count < NAMES_MAX; i++) {
            names[count++] = kind->fields[i].key;
        }
    }
    return nearest_name(key, names, count);
}

/* "`uri`, `authentication`": what there is, if it is little enough to be read. */
static void hint_keys(struct reader *reader, struct diagnostic *finding,
                      const struct object_kind *kind)
{
    char all[SHOWN_MAX * 4] = "";
    size_t len              = 0;
    for (; kind; kind = kind->base) {
        for (size_t i = 0; i < kind->field_count && len < sizeof all; i++) {
            len += (size_t)snprintf(all + len, sizeof all - len, "%s`%s`", len ? ", " : "",
                                    kind->fields[i].key);
        }
    }
    if (len > 0 && len < sizeof all) hint(reader, finding, "there is %s", all);
}

/* What the author of unknown keys probably meant: a finding each is enough, `missing` says no more.
 */
struct meant {
    const char *keys[MEANT_MAX];
    size_t count;
};

static bool is_meant(const struct meant *meant, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < meant->count; i++) {
        const char *guess = meant->keys[i]; /* "endpoint", or "with: { type: … }" */
        if (strncmp(guess, key, len) == 0 && (guess[len] == '\0' || guess[len] == ':')) return true;
    }
    return false;
}

static void refuse_unknown_keys(struct reader *reader, const struct object_kind *kind, json value,
                                struct meant *meant)
{
    for (size_t i = 0; i < json_count(value); i++) {
        str key = json_key_at(value, i);
        if (field_find(kind, key)) continue;

        size_t back = pointer_enter(reader, key);
        struct diagnostic *finding =
            refuse(reader, "V04", key_place(reader), "`" STR_FMT "` is not a property of %s",
                   STR_ARG(shown(key)), kind->what);
        const char *right = right_key(kind, key);
        if (right) {
            hint(reader, finding, "did you mean `%s`?", right);
        } else {
            hint_keys(reader, finding, kind);
        }
        if (right && meant->count < MEANT_MAX) meant->keys[meant->count++] = right;
        pointer_leave(reader, back);
    }
}

static void member_read(struct reader *reader, const struct field *field, json value, void *object)
{
    size_t back       = pointer_enter(reader, str_from(field->key));
    enum place before = reader->place;
    enum place place  = (enum place)(field->flags & PLACE_MASK);
    if (place != PLACE_INHERIT) reader->place = place;
    if (field->read) {
        field->read(reader, value, (char *)object + field->offset);
    } else {
        refuse_unsupported(reader, "V05", str_from(field->key));
    }
    reader->place = before;
    pointer_leave(reader, back);
}

bool object_read(struct reader *reader, const struct object_kind *kind, json value, void *object)
{
    if (!json_is(value, JSON_OBJECT)) {
        refuse(reader, "V06", value_place(reader), "%s is a map, not %s", kind->what,
               kind_words(value.kind));
        return false;
    }
    struct meant meant = {};
    refuse_unknown_keys(reader, kind, value, &meant);
    for (const struct object_kind *part = kind; part; part = part->base) {
        for (size_t i = 0; i < part->field_count; i++) {
            const struct field *field = &part->fields[i];
            json member               = json_get_text(value, field->key);
            if (!json_is(member, JSON_INVALID)) {
                member_read(reader, field, member, object);
            } else if ((field->flags & REQUIRED) && !is_meant(&meant, field->key)) {
                struct diagnostic *finding =
                    refuse(reader, kind->missing_code ? kind->missing_code : "V06",
                           value_place(reader), "%s needs `%s`", kind->what, field->key);
                hint(reader, finding, "`%s: …`", field->key);
            }
        }
    }
    if (kind->finish) kind->finish(reader, object);
    return true;
}

const char *kind_words(enum json_kind kind)
{
    static const char *const words[] = {
        [JSON_INVALID] = "nothing",    [JSON_NULL] = "nothing", [JSON_FALSE] = "true or false",
        [JSON_TRUE] = "true or false", [JSON_INT] = "a number", [JSON_REAL] = "a number",
        [JSON_TEXT] = "a text",        [JSON_ARRAY] = "a list", [JSON_OBJECT] = "a map",
    };
    return words[kind];
}

bool expect_kind(struct reader *reader, json value, enum json_kind kind, const char *what)
{
    if (json_is(value, kind)) return true;
    struct diagnostic *finding = refuse(reader, "V06", value_place(reader), "%s is %s, not %s",
                                        what, kind_words(kind), kind_words(value.kind));
    bool is_scalar             = !json_is(value, JSON_ARRAY) && !json_is(value, JSON_OBJECT);
    if (kind == JSON_TEXT && is_scalar) hint(reader, finding, "put it in quotes");
    if (kind == JSON_ARRAY) hint(reader, finding, "`[ … ]`");
    if (kind == JSON_OBJECT) hint(reader, finding, "`{ … }`");
    return false;
}

void map_read(struct reader *reader, json value, const char *what, field_read *read, void *target)
{
    if (!expect_kind(reader, value, JSON_OBJECT, what)) return;
    for (size_t i = 0; i < json_count(value); i++) {
        size_t back = pointer_enter(reader, json_key_at(value, i));
        read(reader, json_value_at(value, i), target);
        pointer_leave(reader, back);
    }
}

/* --- single values ---------------------------------------------------------------------------- */

void text_read(struct reader *reader, json value, void *target)
{
    const char **text = target;
    if (!json_is(value, JSON_TEXT)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "a text is needed here, not %s",
                   kind_words(value.kind));
        if (json_is_number(value) || json_is_bool(value)) hint(reader, finding, "put it in quotes");
        return;
    }
    str content = json_str(value);
    if (memchr(content.ptr, '\0', content.len)) {
        refuse(reader, "V06", value_place(reader), "a text here must not hold the character NUL");
        return;
    }
    *text = content.ptr; /* followed by a NUL, and frozen as long as the workflow */
}

void boolean_read(struct reader *reader, json value, void *target)
{
    bool *truth = target;
    if (!json_is_bool(value)) {
        refuse(reader, "V06", value_place(reader), "`true` or `false` is needed here, not %s",
               kind_words(value.kind));
        return;
    }
    *truth = json_is(value, JSON_TRUE);
}

bool integer_read(struct reader *reader, json value, int64_t min, int64_t max, int64_t *ret_value)
{
    int64_t number = 0;
    if (!json_is_number(value) || !json_to_int(value, &number)) {
        refuse(reader, "V06", value_place(reader), "a whole number is needed here, not %s",
               json_is_number(value) ? "a fraction" : kind_words(value.kind));
        return false;
    }
    if (number < min || number > max) {
        refuse(reader, "V06", value_place(reader), "%lld is not between %lld and %lld",
               (long long)number, (long long)min, (long long)max);
        return false;
    }
    *ret_value = number;
    return true;
}

bool choice_read(struct reader *reader, json value, const char *const *names, size_t count,
                 size_t *ret_index)
{
    if (!expect_kind(reader, value, JSON_TEXT, "this value")) return false;
    str text = json_str(value);
    for (size_t i = 0; i < count; i++) {
        if (!str_is(text, names[i])) continue;
        *ret_index = i;
        return true;
    }
    struct diagnostic *finding =
        refuse(reader, "V06", value_place(reader), "`" STR_FMT "` is not one of the values here",
               STR_ARG(shown(text)));
    const char *near = nearest_name(text, names, count);
    if (near) {
        hint(reader, finding, "did you mean `%s`?", near);
    } else {
        char all[SHOWN_MAX * 4] = "";
        size_t len              = 0;
        for (size_t i = 0; i < count && len < sizeof all; i++) {
            len += (size_t)snprintf(all + len, sizeof all - len, "%s`%s`", i ? ", " : "", names[i]);
        }
        hint(reader, finding, "%s", all);
    }
    return false;
}
