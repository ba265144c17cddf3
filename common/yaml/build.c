/*
 * Events of libyaml to json values and their places.
 *
 * The members of all open containers lie on one stack, as in the JSON parser; a container is built
 * at its end, so that the places of its members lie side by side. No recursion.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "yaml/yaml_internal.h"
#include "json/json_pointer.h"

#include <stdlib.h>

enum {
    ANCHORS_MAX = 1000,
    POINTER_MAX = 64 << 10, /* bytes */
};

/* One member of an open container. */
struct entry {
    json key;   /* owned; JSON_INVALID in a list */
    json value; /* owned */
    struct yaml_node node;
    bool is_merge; /* `<<` */
};

struct level {
    size_t base;       /* of its entries */
    struct entry next; /* in a map: the key that waits for its value */
    struct yaml_node node;
    size_t nodes_before; /* counted when it began */
    char *anchor;        /* owned; NULL: none */
    bool is_map;
};

struct anchor {
    char *name; /* owned */
    json value; /* owned */
    struct yaml_node node;
    size_t size; /* nodes, aliases expanded */
};

struct builder {
    struct yaml_report *report;
    struct yaml_document *document;
    struct entry *entries; /* owned */
    size_t entry_count;
    size_t entry_capacity;
    struct level levels[YAML_DEPTH_MAX];
    size_t depth;
    struct anchor *anchors; /* owned */
    size_t anchor_count;
    size_t node_count; /* aliases expanded */
    bool is_done;
};

static void entry_done(struct entry *entry)
{
    json_unrefp(&entry->key);
    json_unrefp(&entry->value);
}

static void builder_done(struct builder *builder)
{
    for (size_t i = 0; i < builder->entry_count; i++) entry_done(&builder->entries[i]);
    for (size_t i = 0; i < builder->depth; i++) {
        entry_done(&builder->levels[i].next);
        free(builder->levels[i].anchor);
    }
    for (size_t i = 0; i < builder->anchor_count; i++) {
        free(builder->anchors[i].name);
        json_unref(builder->anchors[i].value);
    }
    free(builder->entries);
    free(builder->anchors);
}

static struct level *top(struct builder *builder)
{
    return builder->depth ? &builder->levels[builder->depth - 1] : NULL;
}

static struct yaml_node node_at(const yaml_event_t *event, enum yaml_style style)
{
    return (struct yaml_node){
        .line   = (uint32_t)event->start_mark.line + 1,
        .column = (uint32_t)event->start_mark.column + 1,
        .index  = (uint32_t)event->start_mark.index,
        .style  = style,
    };
}

/* The pointer of the value that is being read. */
static void path_of(const struct builder *builder, struct buf *path)
{
    for (size_t i = 0; i < builder->depth; i++) {
        const struct level *level = &builder->levels[i];
        size_t end = i + 1 < builder->depth ? builder->levels[i + 1].base : builder->entry_count;
        if (!level->is_map) {
            (void)json_pointer_add_index(path, end - level->base);
        } else if (level->next.key.kind == JSON_TEXT) {
            (void)json_pointer_add(path, json_str(level->next.key));
        }
    }
}

/* A finding at a node. Returns false, for those that end the reading. */
static bool refuse(struct builder *builder, const struct yaml_node *node, const char *hint,
                   const char *detail)
{
    CLEANUP(buf_done) struct buf path = buf_init(POINTER_MAX);
    path_of(builder, &path);
    yaml_found(builder->report, buf_str(&path), node->line, node->column, hint, "%s", detail);
    return false;
}

/* --- places ------------------------------------------------------------------------------------
 */

static void put_node(struct yaml_document *document, struct yaml_node node)
{
    if (document->node_count == document->node_capacity) {
        enum { NODES_MIN = 256 };
        document->node_capacity = document->node_capacity ? document->node_capacity * 2 : NODES_MIN;
        document->nodes = mem_resize(document->nodes, document->node_capacity, sizeof(node));
    }
    document->nodes[document->node_count++] = node;
}

/* --- containers --------------------------------------------------------------------------------
 */

static bool count_nodes(struct builder *builder, const struct yaml_node *node, size_t more)
{
    if (more > YAML_NODES_MAX - builder->node_count) {
        return refuse(builder, node, "split the document",
                      "more than 100,000 nodes, aliases expanded");
    }
    builder->node_count += more;
    return true;
}

/* Hands a finished value to the container around it. Takes `value`. */
static void put_value(struct builder *builder, json value, struct yaml_node node)
{
    struct level *level = top(builder);
    if (!level) {
        builder->document->root      = value;
        builder->document->root_node = node;
        builder->is_done             = true;
        return;
    }
    if (builder->entry_count == builder->entry_capacity) {
        enum { ENTRIES_MIN = 64 };
        size_t capacity  = builder->entry_capacity ? builder->entry_capacity * 2 : ENTRIES_MIN;
        builder->entries = mem_resize(builder->entries, capacity, sizeof *builder->entries);
        builder->entry_capacity = capacity;
    }
    node.key_line                            = level->next.node.key_line;
    node.key_column                          = level->next.node.key_column;
    struct entry entry                       = level->next;
    entry.value                              = value;
    entry.node                               = node;
    level->next                              = (struct entry){};
    builder->entries[builder->entry_count++] = entry;
}

/* Goes on, so that all of them are found. */
static void found_shared(struct builder *builder, const struct yaml_node *node, const char *what)
{
    if (!builder->report->is_written_out) return;
    CLEANUP(buf_done) struct buf path = buf_init(POINTER_MAX);
    path_of(builder, &path);
    yaml_found(builder->report, buf_str(&path), node->line, node->column, "write the value out",
               "%s is not read here", what);
}

static bool remember(struct builder *builder, char *name, json value, struct yaml_node node,
                     size_t size)
{
    if (builder->anchor_count == ANCHORS_MAX) {
        free(name);
        return refuse(builder, &node, "", "more than 1,000 anchors");
    }
    if (!builder->anchors) builder->anchors = mem_new(ANCHORS_MAX, sizeof *builder->anchors);
    builder->anchors[builder->anchor_count++] =
        (struct anchor){.name = name, .value = json_ref(value), .node = node, .size = size};
    return true;
}

static void build_list(struct builder *builder, const struct level *level, json *ret_value)
{
    *ret_value = json_array_new(builder->entry_count - level->base);
    for (size_t i = level->base; i < builder->entry_count; i++) {
        json_array_push(ret_value, json_take(&builder->entries[i].value));
        put_node(builder->document, builder->entries[i].node);
    }
}

static void found_twice(struct builder *builder, const struct entry *entry, size_t base)
{
    const struct entry *first = &builder->entries[base];
    while (first->is_merge || !json_equal(first->key, entry->key)) first++;
    CLEANUP(buf_done) struct buf path = buf_init(POINTER_MAX);
    path_of(builder, &path);
    (void)json_pointer_add(&path, json_str(entry->key));
    yaml_found(builder->report, buf_str(&path), entry->node.key_line, entry->node.key_column,
               "keep one of them", "key `%s` is there twice; the first is at line %u, column %u",
               json_str(entry->key).ptr, first->node.key_line, first->node.key_column);
}

/* Adds the members of one map that are not there yet, with their own places. */
static void merge_map(struct builder *builder, json from, uint32_t children, json *into)
{
    for (size_t i = 0; i < json_count(from); i++) {
        if (json_get_key(*into, json_key_value_at(from, i)).kind != JSON_INVALID) continue;
        json_object_put_key(into, json_key_value_at(from, i), json_ref(json_value_at(from, i)));
        struct yaml_node node = builder->document->nodes[children + i];
        put_node(builder->document, node);
    }
}

static void merge(struct builder *builder, const struct entry *entry, json *into)
{
    json from = entry->value;
    if (json_is(from, JSON_OBJECT)) {
        merge_map(builder, from, entry->node.children, into);
        return;
    }
    bool is_list = json_is(from, JSON_ARRAY);
    for (size_t i = 0; is_list && i < json_count(from); i++) {
        is_list = json_is(json_at(from, i), JSON_OBJECT);
    }
    if (!is_list) {
        (void)refuse(builder, &entry->node, "write `<<: *name` or `<<: [*one, *two]`",
                     "`<<` merges maps, and this is none");
        return;
    }
    for (size_t i = 0; i < json_count(from); i++) {
        uint32_t children = builder->document->nodes[entry->node.children + i].children;
        merge_map(builder, json_at(from, i), children, into);
    }
}

/* The keys that are written here first, then what `<<` adds: what is written wins. */
static void build_map(struct builder *builder, const struct level *level, json *ret_value)
{
    *ret_value = json_object_new(builder->entry_count - level->base);
    for (size_t i = level->base; i < builder->entry_count; i++) {
        struct entry *entry = &builder->entries[i];
        if (entry->is_merge) continue;
        if (json_get_key(*ret_value, entry->key).kind != JSON_INVALID) {
            found_twice(builder, entry, level->base);
            continue;
        }
        json_object_put_key(ret_value, entry->key, json_take(&entry->value));
        put_node(builder->document, entry->node);
    }
    for (size_t i = level->base; i < builder->entry_count; i++) {
        if (builder->entries[i].is_merge) merge(builder, &builder->entries[i], ret_value);
    }
}

static bool open_container(struct builder *builder, const yaml_event_t *event, bool is_map,
                           const unsigned char *anchor)
{
    struct yaml_node node = node_at(event, YAML_NOT_SCALAR);
    struct level *outer   = top(builder);
    if (outer && outer->is_map && outer->next.key.kind == JSON_INVALID && !outer->next.is_merge) {
        return refuse(builder, &node, "put the key in quotes",
                      "a key is a text, not a map or list");
    }
    if (builder->depth == YAML_DEPTH_MAX) {
        return refuse(builder, &node, "", "nested more than 64 levels deep");
    }
    if (anchor) found_shared(builder, &node, "an anchor (`&name`)");
    builder->levels[builder->depth++] = (struct level){
        .base         = builder->entry_count,
        .node         = node,
        .nodes_before = builder->node_count,
        .anchor       = anchor ? mem_dup(anchor, strlen((const char *)anchor)) : NULL,
        .is_map       = is_map,
    };
    return count_nodes(builder, &node, 1);
}

static bool close_container(struct builder *builder)
{
    struct level *level   = top(builder);
    json value            = json_invalid();
    uint32_t children     = (uint32_t)builder->document->node_count;
    size_t first_appended = builder->document->node_count;
    if (level->is_map) {
        build_map(builder, level, &value);
    } else {
        build_list(builder, level, &value);
    }
    ASSERT(builder->document->node_count - first_appended == json_count(value));
    while (builder->entry_count > level->base) {
        entry_done(&builder->entries[--builder->entry_count]);
    }

    struct yaml_node node = level->node;
    node.children         = children;
    size_t size           = builder->node_count - level->nodes_before;
    char *anchor          = TAKE(level->anchor);
    builder->depth--;
    bool is_kept = !anchor || remember(builder, anchor, value, node, size);
    put_value(builder, value, node);
    return is_kept;
}

/* --- scalars -----------------------------------------------------------------------------------
 */

static enum yaml_style style_of(const yaml_event_t *event)
{
    switch (event->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: return YAML_SINGLE_QUOTED;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return YAML_DOUBLE_QUOTED;
    case YAML_LITERAL_SCALAR_STYLE: return YAML_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE: return YAML_FOLDED;
    default: return YAML_PLAIN;
    }
}

static bool put_key(struct builder *builder, const yaml_event_t *event)
{
    struct yaml_node node = node_at(event, style_of(event));
    str text = {.ptr = (const char *)event->data.scalar.value, .len = event->data.scalar.length};
    struct level *level = top(builder);
    bool is_plain       = node.style == YAML_PLAIN;
    if (is_plain && text.len == 0) {
        return refuse(builder, &node, "write the key before the `:`", "a key is missing");
    }
    if (text.len > 0 && memchr(text.ptr, '\0', text.len)) {
        return refuse(builder, &node, "", "a key holds a NUL");
    }
    level->next = (struct entry){
        .key      = is_plain && str_is(text, "<<") ? json_invalid() : json_text_new(text),
        .node     = {.key_line = node.line, .key_column = node.column},
        .is_merge = is_plain && str_is(text, "<<"),
    };
    if (level->next.is_merge) found_shared(builder, &node, "a merge key (`<<`)");
    return true;
}

static void put_scalar(struct builder *builder, const yaml_event_t *event, json *ret_value)
{
    struct yaml_node node = node_at(event, style_of(event));
    switch (yaml_resolve(event, ret_value)) {
    case YAML_RESOLVED: break;
    case YAML_FOREIGN_TAG:
        (void)refuse(builder, &node, "put a text that begins with `!` in quotes",
                     "tags other than those of the core schema are not read");
        break;
    case YAML_TAG_MISMATCH:
        (void)refuse(builder, &node, "remove the tag", "the value is not what its tag says");
        break;
    case YAML_NOT_FINITE:
        (void)refuse(builder, &node, "put it in quotes if it is a text",
                     "infinity and NaN are no JSON numbers");
        break;
    case YAML_HAS_NUL: (void)refuse(builder, &node, "", "a text holds a NUL"); break;
    }
    if (json_is(*ret_value, JSON_INVALID)) *ret_value = json_null();
}

static bool on_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct level *level = top(builder);
    if (level && level->is_map && level->next.key.kind == JSON_INVALID && !level->next.is_merge) {
        return put_key(builder, event);
    }
    struct yaml_node node = node_at(event, style_of(event));
    if (!count_nodes(builder, &node, 1)) return false;
    json value = json_invalid();
    put_scalar(builder, event, &value);
    const char *anchor = (const char *)event->data.scalar.anchor;
    if (anchor) found_shared(builder, &node, "an anchor (`&name`)");
    bool is_kept = !anchor || remember(builder, mem_dup(anchor, strlen(anchor)), value, node, 1);
    put_value(builder, value, node);
    return is_kept;
}

static bool on_alias(struct builder *builder, const yaml_event_t *event)
{
    struct yaml_node node = node_at(event, YAML_NOT_SCALAR);
    struct level *level   = top(builder);
    if (level && level->is_map && level->next.key.kind == JSON_INVALID && !level->next.is_merge) {
        return refuse(builder, &node, "write the key out", "a key cannot be an alias");
    }
    found_shared(builder, &node, "an alias (`*name`)");
    for (size_t i = builder->anchor_count; i-- > 0;) { /* the latest of a name counts */
        const struct anchor *anchor = &builder->anchors[i];
        if (strcmp(anchor->name, (const char *)event->data.alias.anchor) != 0) continue;
        if (!count_nodes(builder, &node, anchor->size)) return false;
        node.children = anchor->node.children;
        put_value(builder, json_ref(anchor->value), node);
        return true;
    }
    return refuse(builder, &node, "put a text that begins with `*` in quotes",
                  "there is no anchor of this name above");
}

/* --- events ------------------------------------------------------------------------------------
 */

static bool has_foreign_tag(const unsigned char *tag, const char *expected)
{
    return tag && strcmp((const char *)tag, expected) != 0;
}

static bool on_event(struct builder *builder, const yaml_event_t *event)
{
    struct yaml_node node = node_at(event, YAML_NOT_SCALAR);
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: return true;
    case YAML_DOCUMENT_START_EVENT:
        if (!builder->is_done) return true;
        return refuse(builder, &node, "one document for each file", "a second document begins");
    case YAML_ALIAS_EVENT: return on_alias(builder, event);
    case YAML_SCALAR_EVENT: return on_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        if (has_foreign_tag(event->data.sequence_start.tag, YAML_SEQ_TAG)) break;
        return open_container(builder, event, false, event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        if (has_foreign_tag(event->data.mapping_start.tag, YAML_MAP_TAG)) break;
        return open_container(builder, event, true, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_container(builder);
    }
    return refuse(builder, &node, "put a text that begins with `!` in quotes",
                  "tags other than those of the core schema are not read");
}

bool yaml_build(yaml_parser_t *parser, struct yaml_report *report, struct yaml_document *document)
{
    struct builder *builder = mem_new(1, sizeof *builder); /* its levels are large for a stack */
    builder->report         = report;
    builder->document       = document;
    bool is_going           = true;
    while (is_going) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            yaml_explain(report, parser);
            break;
        }
        bool is_end = event.type == YAML_STREAM_END_EVENT;
        is_going    = on_event(builder, &event) && !is_end;
        yaml_event_delete(&event);
    }
    builder_done(builder);
    free(builder);
    return !report->has_error;
}
