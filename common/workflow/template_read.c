/*
 * Templates from values of the definition. A value without any expression stays what it is: one
 * constant, however large. Depth comes from outside, so containers wait on a stack of our own.
 */
#include "base/assert.h"
#include "workflow/compile.h"
#include "json/json_text.h"
#include "json/json_write.h"

/* A container whose members are being read. */
struct frame {
    json container;
    const struct template **items;
    uint32_t next;
    bool is_constant; /* so far */
    size_t back;      /* pointer of the enclosing container */
};

/* --- building --------------------------------------------------------------------------------- */

const struct template *template_of_constant(struct reader *reader, json constant)
{
    struct template *template = reader_alloc(reader, 1, sizeof *template);
    template->kind            = TEMPLATE_CONSTANT;
    template->constant        = constant;
    return template;
}

const struct template *template_of_expression(struct reader *reader,
                                              const struct expression *expression)
{
    struct template *template = reader_alloc(reader, 1, sizeof *template);
    template->kind            = TEMPLATE_EXPRESSION;
    template->expression      = expression;
    return template;
}

/* A frozen array of texts; their own copies, since what is frozen twice would be freed twice. */
static json keys_freeze(struct reader *reader, json keys)
{
    keys                                     = json_freeze(keys);
    reader_hold(reader, HOLDING_JSON)->value = keys;
    return keys;
}

const struct template *template_of_members(struct reader *reader,
                                           const struct template_member *members, size_t count)
{
    struct template *template     = reader_alloc(reader, 1, sizeof *template);
    const struct template **items = reader_alloc(reader, count, sizeof *items);
    json keys                     = json_array_new(count);
    for (size_t i = 0; i < count; i++) {
        if (!members[i].value) continue;
        json_array_push(&keys, json_text_from(members[i].key));
        items[template->count++] = members[i].value;
    }
    template->kind  = TEMPLATE_OBJECT;
    template->items = items;
    template->keys  = keys_freeze(reader, keys);
    return template;
}

/* Writes a map of constants. False: it has an expression, or is no map. */
static bool constants_write(const struct template *template, struct buf *text)
{
    if (template->kind == TEMPLATE_CONSTANT) {
        return json_print(template->constant, JSON_COMPACT, text);
    }
    if (template->kind != TEMPLATE_OBJECT) return false;
    struct json_writer writer = json_writer_init(text);
    json_begin_object(&writer);
    for (uint32_t i = 0; i < template->count; i++) {
        if (template->items[i]->kind != TEMPLATE_CONSTANT) return false;
        json_member(&writer, json_str(json_at(template->keys, i)).ptr);
        json_write_value(&writer, template->items[i]->constant);
    }
    json_end_object(&writer);
    return !text->is_full;
}

const struct template *template_fold(struct reader *reader, const struct template *template,
                                     size_t size_max)
{
    CLEANUP(buf_done) struct buf text = buf_init(size_max);
    json constant                     = json_invalid();
    if (!constants_write(template, &text)) return NULL;
    /* A copy: what is frozen twice would be freed twice. */
    if (json_parse(buf_str(&text), NULL, &constant, NULL, NULL) != STATUS_OK) return NULL;
    constant                                 = json_freeze(constant);
    reader_hold(reader, HOLDING_JSON)->value = constant;
    return template_of_constant(reader, constant);
}

const struct template *template_of_table(struct reader *reader, const struct object_kind *kind,
                                         json value, void *object)
{
    if (!object_read(reader, kind, value, object)) return NULL;
    struct template_member *members = scratch_alloc(reader, kind->field_count, sizeof *members);
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        members[i].key            = field->key;
        memcpy(&members[i].value, (const char *)object + field->offset, sizeof members[i].value);
    }
    return template_of_members(reader, members, kind->field_count);
}

static const struct template *of_container(struct reader *reader, const struct frame *frame)
{
    if (frame->is_constant) return template_of_constant(reader, frame->container);

    struct template *template = reader_alloc(reader, 1, sizeof *template);
    template->items           = frame->items;
    template->count           = (uint32_t)json_count(frame->container);
    template->kind            = TEMPLATE_ARRAY;
    if (json_is(frame->container, JSON_OBJECT)) {
        json keys = json_array_new(template->count);
        for (size_t i = 0; i < template->count; i++) {
            json_array_push(&keys, json_text_new(json_key_at(frame->container, i)));
        }
        template->kind = TEMPLATE_OBJECT;
        template->keys = keys_freeze(reader, keys);
    }
    return template;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Mode loose: a text that is a program is evaluated, wrapped or not. NULL: it is none. */
static const struct template *loose_read(struct reader *reader, json value)
{
    str text = json_str(value);
    if (is_expression(value) || !expression_compiles(reader, text)) return NULL;
    const struct expression *expression = expression_compile(reader, text, 0);
    if (!expression) return NULL;
    struct template *template = reader_alloc(reader, 1, sizeof *template);
    *template =
        (struct template){.kind = TEMPLATE_EXPRESSION, .expression = expression, .constant = value};
    return template;
}

static const struct template *leaf_read(struct reader *reader, json value)
{
    if (json_is(value, JSON_TEXT) && reader->is_loose) {
        const struct template *loose = loose_read(reader, value);
        if (loose) return loose;
    }
    if (json_is(value, JSON_TEXT)) {
        struct text_form form = text_form_of(reader, json_str(value));
        if (form.kind == TEXT_EXPRESSION) {
            const struct expression *expression =
                expression_compile(reader, form.source, form.offset);
            if (expression) return template_of_expression(reader, expression);
        }
    }
    return template_of_constant(reader, value);
}

static bool is_container(json value)
{
    return json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY);
}

static void frame_push(struct reader *reader, struct frame *frame, json container, size_t back)
{
    *frame = (struct frame){
        .container   = container,
        .items       = reader_alloc(reader, json_count(container), sizeof *frame->items),
        .is_constant = true,
        .back        = back,
    };
}

/* Steps to the next member of `frame`. */
static json frame_next(struct reader *reader, struct frame *frame, size_t *ret_back)
{
    uint32_t i = frame->next++;
    if (json_is(frame->container, JSON_OBJECT)) {
        *ret_back = pointer_enter(reader, json_key_at(frame->container, i));
        return json_value_at(frame->container, i);
    }
    *ret_back = pointer_enter_index(reader, i);
    return json_at(frame->container, i);
}

static void frame_put(struct frame *frame, const struct template *item)
{
    frame->items[frame->next - 1] = item;
    frame->is_constant            = frame->is_constant && item->kind == TEMPLATE_CONSTANT;
}

static const struct template *template_make(struct reader *reader, json value)
{
    if (!is_container(value)) return leaf_read(reader, value);

    struct frame stack[YAML_DEPTH_MAX];
    size_t depth = 0;
    frame_push(reader, &stack[depth++], value, reader->pointer.len);
    for (;;) {
        struct frame *frame = &stack[depth - 1];
        if (frame->next == json_count(frame->container)) {
            const struct template *done = of_container(reader, frame);
            pointer_leave(reader, frame->back);
            if (--depth == 0) return done;
            frame_put(&stack[depth - 1], done);
            continue;
        }
        size_t back;
        json member = frame_next(reader, frame, &back);
        if (is_container(member)) {
            ASSERT(depth < YAML_DEPTH_MAX);
            frame_push(reader, &stack[depth++], member, back);
        } else {
            frame_put(frame, leaf_read(reader, member));
            pointer_leave(reader, back);
        }
    }
}

void template_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    *result                        = template_make(reader, value);
}

void transform_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    if (json_is(value, JSON_TEXT)) {
        const struct expression *expression = NULL;
        expression_value_read(reader, value, &expression);
        if (expression) *result = template_of_expression(reader, expression);
    } else if (json_is(value, JSON_OBJECT)) {
        *result = template_make(reader, value);
    } else {
        refuse(reader, "V06", value_place(reader), "an expression or a map is needed here, not %s",
               kind_words(value.kind));
    }
}

void template_text_read(struct reader *reader, json value, void *target)
{
    const char *text = NULL;
    text_read(reader, value, &text);
    if (text) template_read(reader, value, target);
}

void template_map_read(struct reader *reader, json value, void *target)
{
    if (!json_is(value, JSON_OBJECT) && !is_expression(value)) {
        refuse(reader, "V06", value_place(reader), "a map or an expression is needed here, not %s",
               kind_words(value.kind));
        return;
    }
    template_read(reader, value, target);
}

void template_expression_read(struct reader *reader, json value, void *target)
{
    if (is_expression(value)) {
        template_read(reader, value, target);
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V06", value_place(reader), "an expression is needed here");
    hint(reader, finding, "`${ … }`");
}

/* --- URIs ------------------------------------------------------------------------------------- */

/* `{name}`: no operators, and every brace has its partner. */
static bool braces_are_names(str text)
{
    bool is_open = false;
    size_t from  = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '{') {
            if (is_open) return false;
            is_open = true;
            from    = i + 1;
        } else if (c == '}') {
            if (!is_open || i == from) return false;
            is_open = false;
        } else if (is_open) {
            bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
            if (!good) return false;
        }
    }
    return !is_open;
}

static bool has_scheme(str text)
{
    size_t i = 0;
    while (i < text.len && text.ptr[i] != ':' && text.ptr[i] != '/') i++;
    return i > 0 && i + 2 < text.len && text.ptr[i] == ':' && text.ptr[i + 1] == '/' &&
           text.ptr[i + 2] == '/';
}

bool uri_check(struct reader *reader, json value)
{
    str uri                    = json_str(value);
    struct diagnostic *finding = NULL;
    if (!has_scheme(uri)) {
        finding = refuse(reader, "V06", value_place(reader), "`" STR_FMT "` is not an absolute URI",
                         STR_ARG(shown(uri)));
        hint(reader, finding, "`https://…`, or an expression `${ … }`");
        return false;
    }
    if (!braces_are_names(uri)) {
        finding = refuse(reader, "V06", value_place(reader),
                         "a URI template knows `{name}` and nothing else");
        hint(reader, finding, "build it with an expression: `${ \"https://…/\\(.x | @uri)\" }`");
        return false;
    }
    return true;
}

void template_uri_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    const char *text               = NULL;
    text_read(reader, value, &text);
    if (!text) return;
    str uri = str_from(text);
    if (is_expression(value) || memmem(uri.ptr, uri.len, "${", 2)) {
        template_read(reader, value, target);
        return;
    }
    if (!uri_check(reader, value)) return;
    struct template *template = reader_alloc(reader, 1, sizeof *template);
    template->kind            = memchr(uri.ptr, '{', uri.len) ? TEMPLATE_URI : TEMPLATE_CONSTANT;
    template->constant        = value;
    *result                   = template;
}
