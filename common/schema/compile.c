/*
 * Compiling: documents to nodes.
 *
 * Nodes are scanned from a queue, so depth costs no stack. Scanning a node notes what it is called
 * ($id, $anchor), makes a rule of each keyword and queues its subschemas. References are followed
 * when the queue is empty, since they may name what stands further on, or in a document that nobody
 * has read yet; then the queue is scanned again, until both are empty.
 */
#include "base/mem.h"
#include "schema/schema_internal.h"
#include "schema/uri.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POINTER_MAX = 16 << 10, /* bytes */
    URI_MAX     = 4 << 10,  /* bytes */
    DETAIL_MAX  = 512,      /* bytes */
};

/* --- findings and memory -----------------------------------------------------------------------
 */

void compiler_found(struct compiler *compiler, const struct schema_node *node, status code,
                    str name, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);

    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    if (node) (void)buf_put_text(&pointer, node->pointer);
    if (name.len > 0) (void)json_pointer_add(&pointer, name);
    if (compiler->code == STATUS_OK) {
        compiler->code = code;
        (void)fail(&compiler->first, code, "schema %.80s: %.140s", pointer.len ? pointer.ptr : "/",
                   detail);
    }
    if (!compiler->list) return;
    if (node && node->document > 0) { /* it has no pointer into the source */
        (void)diagnostics_add(compiler->list, "", SEVERITY_ERROR, (str){}, 0, 0,
                              "in `%.200s` %s: %s", node->resource->uri,
                              pointer.len ? pointer.ptr : "/", detail);
    } else {
        (void)diagnostics_add(compiler->list, "", SEVERITY_ERROR, buf_str(&pointer), 0, 0, "%s",
                              detail);
    }
}

void *compiler_alloc(struct compiler *compiler, size_t size)
{
    void *memory = arena_alloc(compiler->schema->arena, size ? size : 1);
    if (!memory) {
        compiler_found(compiler, NULL, STATUS_RESOURCE_EXHAUSTED, (str){},
                       "the schema is too large");
    }
    return memory;
}

static const char *keep(struct compiler *compiler, str text)
{
    char *copy = compiler_alloc(compiler, text.len + 1);
    if (copy && text.len > 0) memcpy(copy, text.ptr, text.len);
    return copy;
}

/* A name in one of the maps. False after a finding: the map is full. */
static bool remember(struct compiler *compiler, struct map *map, str name, void *value)
{
    if (map_put(map, name, value)) return true;
    compiler_found(compiler, NULL, STATUS_RESOURCE_EXHAUSTED, (str){}, "the schema is too large");
    return false;
}

/* --- nodes -------------------------------------------------------------------------------------
 */

struct schema_node *compiler_node(struct compiler *compiler, uint32_t document, str pointer,
                                  json value, struct schema_resource *resource)
{
    CLEANUP(buf_done) struct buf key = buf_init(POINTER_MAX + 16);
    if (!buf_printf(&key, "%u", document) || !buf_put_str(&key, pointer)) {
        compiler_found(compiler, NULL, STATUS_RESOURCE_EXHAUSTED, (str){}, "a pointer is too long");
        return NULL;
    }
    struct schema_node *node = map_get(compiler->nodes, buf_str(&key));
    if (node) return node;
    if (compiler->node_count++ == SCHEMA_NODES_MAX) {
        compiler_found(compiler, NULL, STATUS_RESOURCE_EXHAUSTED, (str){},
                       "more than %d subschemas", SCHEMA_NODES_MAX);
        return NULL;
    }
    node = compiler_alloc(compiler, sizeof *node);
    if (!node) return NULL;
    node->pointer  = keep(compiler, pointer);
    node->document = document;
    node->resource = resource;
    node->value    = value;
    if (!node->pointer || !remember(compiler, compiler->nodes, buf_str(&key), node)) return NULL;
    node->next        = compiler->to_scan;
    compiler->to_scan = node;
    return node;
}

/* The node of a subschema: `name` below `keyword` of `node`; no name: the keyword's own value. */
static struct schema_node *child(struct compiler *compiler, const struct schema_node *node,
                                 const char *keyword, str name, bool has_name, json value)
{
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    (void)buf_put_text(&pointer, node->pointer);
    (void)json_pointer_add(&pointer, str_from(keyword));
    if (has_name) (void)json_pointer_add(&pointer, name);
    if (pointer.is_full) {
        compiler_found(compiler, node, STATUS_RESOURCE_EXHAUSTED, (str){}, "a pointer is too long");
        return NULL;
    }
    return compiler_node(compiler, node->document, buf_str(&pointer), value, node->resource);
}

/* --- what a node is called ---------------------------------------------------------------------
 */

static struct schema_resource *add_resource(struct compiler *compiler, struct schema_node *node,
                                            str uri, unsigned vocabularies)
{
    struct schema_resource *resource = compiler_alloc(compiler, sizeof *resource);
    if (!resource) return NULL;
    resource->uri          = keep(compiler, uri);
    resource->root         = node;
    resource->vocabularies = vocabularies;
    if (!resource->uri || !remember(compiler, compiler->resources, uri, resource)) return NULL;
    return resource;
}

static void scan_id(struct compiler *compiler, struct schema_node *node, json id)
{
    bool has_fragment = false;
    str fragment      = uri_fragment(json_str(id), &has_fragment);
    if (fragment.len > 0) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, str_from("$id"),
                       "`$id` has no fragment; a name within a document is an `$anchor`");
        return;
    }
    CLEANUP(buf_done) struct buf uri = buf_init(URI_MAX);
    if (!uri_resolve(str_from(node->resource->uri), json_str(id), &uri)) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, str_from("$id"), "too long");
        return;
    }
    struct schema_resource *known = map_get(compiler->resources, buf_str(&uri));
    if (known && known->root == node) {
        node->resource = known;
        return;
    }
    if (known) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, str_from("$id"),
                       "another schema has this `$id` already");
        return;
    }
    struct schema_resource *resource =
        add_resource(compiler, node, buf_str(&uri), node->resource->vocabularies);
    if (resource) node->resource = resource;
}

static void scan_anchor(struct compiler *compiler, struct schema_node *node, json name,
                        bool is_dynamic)
{
    CLEANUP(buf_done) struct buf key = buf_init(URI_MAX);
    (void)buf_put_text(&key, node->resource->uri);
    (void)buf_put_byte(&key, '#');
    (void)buf_put_str(&key, json_str(name));
    const struct schema_node *known = map_get(compiler->anchors, buf_str(&key));
    if (key.is_full || (known && known != node)) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT,
                       str_from(is_dynamic ? "$dynamicAnchor" : "$anchor"),
                       "another subschema has this name already");
        return;
    }
    if (!known && !remember(compiler, compiler->anchors, buf_str(&key), node)) return;
    if (!is_dynamic) return;
    struct schema_anchor *anchor = compiler_alloc(compiler, sizeof *anchor);
    if (!anchor) return;
    anchor->name                    = json_str(name).ptr; /* lives as long as the source */
    anchor->node                    = node;
    anchor->next                    = node->resource->dynamic_anchors;
    node->resource->dynamic_anchors = anchor;
}

/* --- $schema and its vocabularies --------------------------------------------------------------
 */

static const struct {
    const char *uri;
    unsigned bits;
} vocabularies[] = {
    {"https://json-schema.org/draft/2020-12/vocab/core", VOCABULARY_CORE},
    {"https://json-schema.org/draft/2020-12/vocab/applicator", VOCABULARY_APPLICATOR},
    {"https://json-schema.org/draft/2020-12/vocab/unevaluated", VOCABULARY_UNEVALUATED},
    {"https://json-schema.org/draft/2020-12/vocab/validation", VOCABULARY_VALIDATION},
    {"https://json-schema.org/draft/2020-12/vocab/meta-data", VOCABULARY_META_DATA},
    {"https://json-schema.org/draft/2020-12/vocab/format-annotation", VOCABULARY_FORMAT},
    {"https://json-schema.org/draft/2020-12/vocab/format-assertion",
     VOCABULARY_FORMAT | VOCABULARY_FORMAT_ASSERT},
    {"https://json-schema.org/draft/2020-12/vocab/content", VOCABULARY_CONTENT},
};

static unsigned vocabularies_of(struct compiler *compiler, struct schema_node *node, json list)
{
    unsigned bits = VOCABULARY_CORE;
    for (size_t i = 0; i < json_count(list); i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(vocabularies) && !str_is(json_key_at(list, i), vocabularies[k].uri)) {
            k++;
        }
        if (k < ARRAY_LEN(vocabularies)) {
            bits |= vocabularies[k].bits;
        } else if (json_is(json_value_at(list, i), JSON_TRUE)) {
            compiler_found(compiler, node, STATUS_UNIMPLEMENTED, str_from("$schema"),
                           "its meta-schema requires a vocabulary that is not supported");
        }
    }
    return bits;
}

static json option_document(const struct compiler *compiler, str uri)
{
    const struct schema_document *documents = compiler->options->documents;
    for (; documents && documents->uri; documents++) {
        if (str_is(uri, documents->uri)) return documents->value;
    }
    return json_invalid();
}

static void scan_dialect(struct compiler *compiler, struct schema_node *node, json name)
{
    str uri = json_str(name);
    if (uri.len > 0 && uri.ptr[uri.len - 1] == '#') uri = str_slice(uri, 0, uri.len - 1);
    if (str_is(uri, SCHEMA_META_URI)) return;
    json meta = option_document(compiler, uri);
    json list = json_get_text(meta, "$vocabulary");
    if (json_is(list, JSON_OBJECT)) {
        node->resource->vocabularies = vocabularies_of(compiler, node, list);
    } else if (!json_is(meta, JSON_OBJECT)) {
        compiler_found(compiler, node, STATUS_UNIMPLEMENTED, str_from("$schema"),
                       "only %s is supported", SCHEMA_META_URI);
    }
}

/* --- rules -------------------------------------------------------------------------------------
 */

static bool compile_regex(struct compiler *compiler, const struct schema_node *node,
                          const char *keyword, str pattern, struct regex **ret_regex)
{
    struct error error       = {};
    struct schema_regex *own = compiler_alloc(compiler, sizeof *own);
    if (!own) return false;
    status code = regex_compile(pattern, REGEX_ECMA, &own->regex, &error);
    if (code != STATUS_OK) {
        compiler_found(compiler, node, code, str_from(keyword), "%s", error.text);
        return false;
    }
    own->next                 = compiler->schema->regexes;
    compiler->schema->regexes = own;
    *ret_regex                = own->regex;
    return true;
}

/* The subschemas of a map or a list, or the one that the value is. */
static void rule_children(struct compiler *compiler, const struct schema_node *node,
                          struct schema_rule *rule, enum shape shape)
{
    const char *keyword = schema_keywords[rule->keyword].name;
    bool is_map         = shape == SHAPE_SCHEMA_MAP || shape == SHAPE_PATTERN_MAP;
    bool is_list        = shape == SHAPE_SCHEMA_LIST;
    if (!is_map && !is_list && shape != SHAPE_SCHEMA) return;

    uint32_t count = shape == SHAPE_SCHEMA ? 1 : (uint32_t)json_count(rule->value);
    rule->nodes    = compiler_alloc(compiler, count * sizeof(struct schema_node *));
    if (!rule->nodes) return;
    for (uint32_t i = 0; i < count; i++) {
        char index[16];
        (void)snprintf(index, sizeof index, "%u", i);
        str name       = is_map ? json_key_at(rule->value, i) : str_from(index);
        json value     = is_map    ? json_value_at(rule->value, i)
                         : is_list ? json_at(rule->value, i)
                                   : rule->value;
        rule->nodes[i] = child(compiler, node, keyword, name, shape != SHAPE_SCHEMA, value);
        if (!rule->nodes[i]) return;
    }
    rule->node_count = count;
}

static void rule_regexes(struct compiler *compiler, const struct schema_node *node,
                         struct schema_rule *rule, enum shape shape)
{
    if (shape != SHAPE_PATTERN && shape != SHAPE_PATTERN_MAP) return;
    const char *keyword = schema_keywords[rule->keyword].name;
    size_t count        = shape == SHAPE_PATTERN ? 1 : json_count(rule->value);
    rule->regexes       = compiler_alloc(compiler, count * sizeof(struct regex *));
    for (size_t i = 0; rule->regexes && i < count; i++) {
        str pattern = shape == SHAPE_PATTERN ? json_str(rule->value) : json_key_at(rule->value, i);
        if (!compile_regex(compiler, node, keyword, pattern, &rule->regexes[i])) return;
    }
}

static void rule_types(struct schema_rule *rule)
{
    if (json_is(rule->value, JSON_TEXT)) rule->types = schema_type_bits(json_str(rule->value));
    for (size_t i = 0; i < json_count(rule->value); i++) {
        rule->types |= schema_type_bits(json_str(json_at(rule->value, i)));
    }
}

static void rule_format(struct compiler *compiler, const struct schema_node *node,
                        struct schema_rule *rule)
{
    if (!compiler->options->assert_formats &&
        !(node->resource->vocabularies & VOCABULARY_FORMAT_ASSERT)) {
        return;
    }
    rule->format = schema_format_find(json_str(rule->value));
    if (!rule->format) {
        compiler_found(compiler, node, STATUS_UNIMPLEMENTED, str_from("format"),
                       "this format cannot be checked");
    }
}

static void rule_reference(struct compiler *compiler, struct schema_node *node,
                           struct schema_rule *rule)
{
    struct pending_ref *ref = compiler_alloc(compiler, sizeof *ref);
    if (!ref) return;
    *ref               = (struct pending_ref){.node = node, .rule = rule};
    ref->next          = compiler->to_refer;
    compiler->to_refer = ref;
}

static void scan_rule(struct compiler *compiler, struct schema_node *node, struct schema_rule *rule)
{
    enum shape shape = schema_keywords[rule->keyword].shape;
    rule_children(compiler, node, rule, shape);
    rule_regexes(compiler, node, rule, shape);
    switch (rule->keyword) {
    case KEYWORD_TYPE: rule_types(rule); break;
    case KEYWORD_FORMAT: rule_format(compiler, node, rule); break;
    case KEYWORD_REF:
    case KEYWORD_DYNAMIC_REF: rule_reference(compiler, node, rule); break;
    case KEYWORD_UNEVALUATED_ITEMS:
    case KEYWORD_UNEVALUATED_PROPERTIES: compiler->schema->has_unevaluated = true; break;
    default: break; /* the others need no more than their value */
    }
}

/* Warns of a name that is no keyword but nearly one: it would be ignored in silence. */
static void scan_unknown(struct compiler *compiler, const struct schema_node *node, str name)
{
    if (!compiler->list || name.len < 3 || node->document > 0) return;
    const char *names[KEYWORD_COUNT];
    for (enum keyword i = 0; i < KEYWORD_COUNT; i++) names[i] = schema_keywords[i].name;
    const char *near = nearest_name(name, names, KEYWORD_COUNT);
    if (!near) return;
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    (void)buf_put_text(&pointer, node->pointer);
    (void)json_pointer_add(&pointer, name);
    struct diagnostic *finding =
        diagnostics_add(compiler->list, "", SEVERITY_WARNING, buf_str(&pointer), 0, 0,
                        "`" STR_FMT "` is no keyword and is ignored", STR_ARG(name));
    diagnostic_hint(compiler->list, finding, "`%s`", near);
}

/* Names first: everything else of the node is relative to them. A name that is no text is found
 * when its turn as a keyword comes. */
static void scan_names(struct compiler *compiler, struct schema_node *node)
{
    json id      = json_get_text(node->value, "$id");
    json dialect = json_get_text(node->value, "$schema");
    json anchor  = json_get_text(node->value, "$anchor");
    json dynamic = json_get_text(node->value, "$dynamicAnchor");
    if (json_is(id, JSON_TEXT)) scan_id(compiler, node, id);
    if (json_is(dialect, JSON_TEXT)) scan_dialect(compiler, node, dialect);
    if (json_is(anchor, JSON_TEXT)) scan_anchor(compiler, node, anchor, false);
    if (json_is(dynamic, JSON_TEXT)) scan_anchor(compiler, node, dynamic, true);
}

static void scan(struct compiler *compiler, struct schema_node *node)
{
    if (json_is_bool(node->value)) return;
    if (!json_is(node->value, JSON_OBJECT)) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, (str){},
                       "a schema is a map, true or false");
        return;
    }
    scan_names(compiler, node);
    json rules[KEYWORD_COUNT] = {};
    for (size_t i = 0; i < json_count(node->value); i++) {
        enum keyword keyword = schema_keyword_find(json_key_at(node->value, i));
        if (keyword == KEYWORD_COUNT) {
            scan_unknown(compiler, node, json_key_at(node->value, i));
        } else if (schema_keywords[keyword].vocabulary & node->resource->vocabularies) {
            json value = json_value_at(node->value, i);
            if (!compiler_check_shape(compiler, node, keyword, value)) continue;
            rules[keyword] = value;
            node->rule_count++;
        }
    }
    node->rules = compiler_alloc(compiler, node->rule_count * sizeof *node->rules);
    if (!node->rules) return;
    uint32_t count = 0;
    for (enum keyword keyword = 0; keyword < KEYWORD_COUNT; keyword++) {
        if (json_is(rules[keyword], JSON_INVALID)) continue;
        node->rules[count] = (struct schema_rule){.keyword = keyword, .value = rules[keyword]};
        scan_rule(compiler, node, &node->rules[count]);
        node->at[keyword] = (uint8_t)++count;
    }
}

void compiler_scan_all(struct compiler *compiler)
{
    while (compiler->to_scan && compiler->code != STATUS_RESOURCE_EXHAUSTED) {
        struct schema_node *node = compiler->to_scan;
        compiler->to_scan        = node->next;
        scan(compiler, node);
    }
}
