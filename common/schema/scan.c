/* A node of the queue to its rules: which keywords it has, in the dialect it is written in. */
#include "schema/schema_internal.h"
#include "json/json_pointer.h"

#include <stdio.h>

enum {
    POINTER_MAX  = 16 << 10,          /* bytes */
    KEYWORDS_MAX = 2 * KEYWORD_COUNT, /* rows of their table */
};

/* --- rules -------------------------------------------------------------------------------------
 */

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
    return compiler_node(compiler, node->document, buf_str(&pointer), value, node);
}

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

/* How the subschemas of a keyword stand in its value. */
enum arrangement { NONE, ONE, LIST, MAP };

static enum arrangement arrangement_of(const struct schema_rule *rule)
{
    switch (rule->info->shape) {
    case SHAPE_SCHEMA: return ONE;
    case SHAPE_SCHEMA_LIST: return LIST;
    case SHAPE_SCHEMA_OR_LIST: return json_is(rule->value, JSON_ARRAY) ? LIST : ONE;
    case SHAPE_SCHEMA_MAP:
    case SHAPE_PATTERN_MAP:
    case SHAPE_DEPENDENCY_MAP: return MAP;
    default: return NONE;
    }
}

static void rule_children(struct compiler *compiler, const struct schema_node *node,
                          struct schema_rule *rule)
{
    enum arrangement arrangement = arrangement_of(rule);
    if (arrangement == NONE) return;
    uint32_t count = arrangement == ONE ? 1 : (uint32_t)json_count(rule->value);
    rule->nodes    = compiler_alloc(compiler, count * sizeof(struct schema_node *));
    if (!rule->nodes) return;
    for (uint32_t i = 0; i < count; i++) {
        char index[16];
        (void)snprintf(index, sizeof index, "%u", i);
        bool is_map = arrangement == MAP;
        str name    = is_map ? json_key_at(rule->value, i) : str_from(index);
        json value  = is_map                ? json_value_at(rule->value, i)
                      : arrangement == LIST ? json_at(rule->value, i)
                                            : rule->value;
        if (is_map && json_is(value, JSON_ARRAY)) continue; /* names that something depends on */
        rule->nodes[i] = child(compiler, node, rule->info->name, name, arrangement != ONE, value);
        if (!rule->nodes[i]) return;
    }
    rule->node_count = count;
}

static void rule_regexes(struct compiler *compiler, const struct schema_node *node,
                         struct schema_rule *rule)
{
    bool is_one = rule->info->shape == SHAPE_PATTERN;
    if (!is_one && rule->info->shape != SHAPE_PATTERN_MAP) return;
    size_t count  = is_one ? 1 : json_count(rule->value);
    rule->regexes = compiler_alloc(compiler, count * sizeof(struct regex *));
    for (size_t i = 0; rule->regexes && i < count; i++) {
        str pattern = is_one ? json_str(rule->value) : json_key_at(rule->value, i);
        if (!compile_regex(compiler, node, rule->info->name, pattern, &rule->regexes[i])) return;
    }
}

static void rule_types(struct schema_rule *rule)
{
    if (json_is(rule->value, JSON_TEXT)) rule->types = schema_type_bits(json_str(rule->value));
    for (size_t i = 0; i < json_count(rule->value); i++) {
        rule->types |= schema_type_bits(json_str(json_at(rule->value, i)));
    }
}

static bool is_passed(const struct compiler *compiler, str format)
{
    for (const char *const *one = compiler->options->passed_formats; one && *one; one++) {
        if (str_is(format, *one)) return true;
    }
    return false;
}

static void rule_format(struct compiler *compiler, const struct schema_node *node,
                        struct schema_rule *rule)
{
    bool is_ours = str_is(json_str(rule->value), SCHEMA_FORMAT_SELECTOR);
    if (!compiler->options->assert_formats && !is_ours &&
        !(node->dialect->vocabularies & VOCABULARY_FORMAT_ASSERT)) {
        return;
    }
    if (is_passed(compiler, json_str(rule->value))) return;
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
    rule_children(compiler, node, rule);
    rule_regexes(compiler, node, rule);
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

/* --- nodes -------------------------------------------------------------------------------------
 */

/* Warns of a name that is no keyword but nearly one, or one of another draft: it would be ignored
 * in silence. */
static void scan_unknown(struct compiler *compiler, const struct schema_node *node, str name)
{
    if (!compiler->list || name.len < 3 || node->document > 0) return;
    const char *names[KEYWORDS_MAX];
    size_t count                     = 0;
    const struct keyword_info *other = NULL;
    ASSERT(schema_keyword_count <= KEYWORDS_MAX);
    for (size_t i = 0; i < schema_keyword_count; i++) {
        const struct keyword_info *info = &schema_keywords[i];
        if (schema_keyword_is_of(info, node->dialect)) names[count++] = info->name;
        if (str_is(name, info->name)) other = info;
    }
    const char *near = other ? NULL : nearest_name(name, names, count);
    if (!near && !other) return;
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    (void)buf_put_text(&pointer, node->pointer);
    (void)json_pointer_add(&pointer, name);
    struct diagnostic *finding = diagnostics_add(
        compiler->list, "", SEVERITY_WARNING, buf_str(&pointer), 0, 0,
        "`" STR_FMT "` is no keyword of %s and is ignored", STR_ARG(name), node->dialect->name);
    if (near) diagnostic_hint(compiler->list, finding, "`%s`", near);
    if (other) {
        diagnostic_hint(compiler->list, finding, "`$schema: %s` has it",
                        schema_dialects[other->until].uri);
    }
}

/* A keyword as it is written, with its value. */
struct entry {
    const struct keyword_info *info; /* NULL: the schema does not have it */
    json value;
};

static void collect(struct compiler *compiler, const struct schema_node *node,
                    struct entry entries[KEYWORD_COUNT])
{
    for (size_t i = 0; i < json_count(node->value); i++) {
        str name                        = json_key_at(node->value, i);
        json value                      = json_value_at(node->value, i);
        const struct keyword_info *info = schema_keyword_find(node->dialect, name);
        if (!info) {
            scan_unknown(compiler, node, name);
        } else if ((info->vocabulary & node->dialect->vocabularies) &&
                   compiler_check_shape(compiler, node, info, value)) {
            bool is_prefix = info->shape == SHAPE_SCHEMA_OR_LIST && json_is(value, JSON_ARRAY);
            entries[is_prefix ? KEYWORD_PREFIX_ITEMS : info->keyword] =
                (struct entry){.info = info, .value = value};
        }
    }
}

/* What a dialect does not look at when there is a `$ref`: all that checks, and what it is called.
 * Definitions are still to be found. */
static void leave_ref_alone(struct entry entries[KEYWORD_COUNT])
{
    for (enum keyword keyword = 0; keyword < KEYWORD_CHECKED; keyword++) {
        if (keyword != KEYWORD_REF) entries[keyword] = (struct entry){};
    }
    entries[KEYWORD_ID] = (struct entry){};
}

static void scan(struct compiler *compiler, struct schema_node *node)
{
    if (json_is_bool(node->value)) return;
    if (!json_is(node->value, JSON_OBJECT)) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, (str){},
                       "a schema is a map, true or false");
        return;
    }
    struct entry entries[KEYWORD_COUNT] = {};
    compiler_choose_dialect(compiler, node);
    collect(compiler, node, entries);
    if (node->dialect->ref_is_alone && entries[KEYWORD_REF].info) leave_ref_alone(entries);

    /* Names first: everything else of the node is relative to them. */
    for (enum keyword keyword = 0; keyword < KEYWORD_COUNT; keyword++) {
        if (!entries[keyword].info) continue;
        compiler_name(compiler, node, entries[keyword].info, entries[keyword].value);
        node->rule_count++;
    }
    node->rules = compiler_alloc(compiler, node->rule_count * sizeof *node->rules);
    if (!node->rules) return;
    uint32_t count = 0;
    for (enum keyword keyword = 0; keyword < KEYWORD_COUNT; keyword++) {
        const struct entry *entry = &entries[keyword];
        if (!entry->info) continue;
        node->rules[count] =
            (struct schema_rule){.info = entry->info, .keyword = keyword, .value = entry->value};
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
