/*
 * What a schema is called and of which dialect it is: $schema, $id, anchors.
 *
 * `$schema` is read before everything else of a node, since it says what the other keywords are. It
 * holds for the node and what is inside; mostly that is a document, or a resource in one.
 */
#include "schema/schema_internal.h"
#include "schema/uri.h"

enum { URI_MAX = 4 << 10 /* bytes */ };

/* --- $schema -----------------------------------------------------------------------------------
 */

static unsigned vocabularies_of(struct compiler *compiler, const struct schema_node *node,
                                json list)
{
    unsigned all = VOCABULARY_CORE;
    for (size_t i = 0; i < json_count(list); i++) {
        bool is_required = json_is(json_value_at(list, i), JSON_TRUE);
        unsigned bits    = schema_vocabulary_bits(json_key_at(list, i), is_required);
        if (bits == 0 && is_required) {
            compiler_found(compiler, node, STATUS_UNIMPLEMENTED, str_from("$schema"),
                           "its meta-schema requires a vocabulary that is not supported");
        }
        all |= bits;
    }
    return all;
}

/* The dialect that a meta-schema of somebody's own extends. NULL: `meta` is none. */
static const struct schema_dialect *extended_by(json meta)
{
    if (!json_is(meta, JSON_OBJECT)) return NULL;
    json name = json_get_text(meta, "$schema");
    return json_is(name, JSON_TEXT) ? schema_dialect_find(json_str(name))
                                    : &schema_dialects[DRAFT_DEFAULT];
}

static void refuse_dialect(struct compiler *compiler, const struct schema_node *node)
{
    compiler_found(compiler, node, STATUS_UNIMPLEMENTED, str_from("$schema"),
                   "this dialect is not known; known are %s, %s, %s, %s and %s",
                   schema_dialects[DRAFT_2020_12].uri, schema_dialects[DRAFT_2019_09].uri,
                   schema_dialects[DRAFT_7].uri, schema_dialects[DRAFT_6].uri,
                   schema_dialects[DRAFT_4].uri);
}

void compiler_choose_dialect(struct compiler *compiler, struct schema_node *node)
{
    json name = json_get_text(node->value, "$schema");
    if (!json_is(name, JSON_TEXT)) return; /* found when its turn as a keyword comes */
    const struct schema_dialect *known = schema_dialect_find(json_str(name));
    if (known) {
        node->dialect = known;
        return;
    }
    json meta                         = compiler_option_document(compiler, json_str(name));
    const struct schema_dialect *base = extended_by(meta);
    if (!base) {
        refuse_dialect(compiler, node);
        return;
    }
    node->dialect = base;
    json list     = json_get_text(meta, "$vocabulary");
    if (!json_is(list, JSON_OBJECT)) return;
    struct schema_dialect *own = compiler_alloc(compiler, sizeof *own);
    if (!own) return;
    *own              = *base;
    own->vocabularies = vocabularies_of(compiler, node, list);
    node->dialect     = own;
}

/* --- $id ---------------------------------------------------------------------------------------
 */

static void name_resource(struct compiler *compiler, struct schema_node *node, str keyword, str id)
{
    CLEANUP(buf_done) struct buf uri = buf_init(URI_MAX);
    if (!uri_resolve(str_from(node->resource->uri), id, &uri)) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, keyword, "too long");
        return;
    }
    struct schema_resource *known = map_get(compiler->resources, buf_str(&uri));
    if (known && known->root == node) {
        node->resource = known;
        return;
    }
    if (known) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, keyword,
                       "another schema has this `" STR_FMT "` already", STR_ARG(keyword));
        return;
    }
    struct schema_resource *resource = compiler_alloc(compiler, sizeof *resource);
    if (!resource) return;
    resource->uri  = compiler_keep(compiler, buf_str(&uri));
    resource->root = node;
    if (!resource->uri ||
        !compiler_remember(compiler, compiler->resources, buf_str(&uri), resource)) {
        return;
    }
    node->resource = resource;
}

/* --- anchors -----------------------------------------------------------------------------------
 */

static bool name_anchor(struct compiler *compiler, struct schema_node *node, str keyword, str name)
{
    CLEANUP(buf_done) struct buf key = buf_init(URI_MAX);
    (void)buf_put_text(&key, node->resource->uri);
    (void)buf_put_byte(&key, '#');
    (void)buf_put_str(&key, name);
    const struct schema_node *known = map_get(compiler->anchors, buf_str(&key));
    if (key.is_full || (known && known != node)) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, keyword,
                       "another subschema has this name already");
        return false;
    }
    return known || compiler_remember(compiler, compiler->anchors, buf_str(&key), node);
}

/* `name` lives as long as the source. */
static void name_dynamic_anchor(struct compiler *compiler, struct schema_node *node,
                                const char *name)
{
    struct schema_anchor *anchor = compiler_alloc(compiler, sizeof *anchor);
    if (!anchor) return;
    anchor->name                    = name;
    anchor->node                    = node;
    anchor->next                    = node->resource->dynamic_anchors;
    node->resource->dynamic_anchors = anchor;
}

static void name_by_id(struct compiler *compiler, struct schema_node *node, str keyword, str id)
{
    bool has_fragment = false;
    str fragment      = uri_fragment(id, &has_fragment);
    if (fragment.len > 0 && !node->dialect->id_has_anchor) {
        compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, keyword,
                       "`" STR_FMT "` has no fragment; a name within a document is an `$anchor`",
                       STR_ARG(keyword));
        return;
    }
    if (fragment.len == 0 || id.ptr[0] != '#') name_resource(compiler, node, keyword, id);
    if (fragment.len > 0) (void)name_anchor(compiler, node, keyword, fragment);
}

void compiler_name(struct compiler *compiler, struct schema_node *node,
                   const struct keyword_info *info, json value)
{
    str keyword = str_from(info->name);
    switch (info->keyword) {
    case KEYWORD_ID: name_by_id(compiler, node, keyword, json_str(value)); break;
    case KEYWORD_ANCHOR: (void)name_anchor(compiler, node, keyword, json_str(value)); break;
    case KEYWORD_DYNAMIC_ANCHOR:
        if (json_is(value, JSON_TEXT)) {
            if (!name_anchor(compiler, node, keyword, json_str(value))) return;
            name_dynamic_anchor(compiler, node, json_str(value).ptr);
        } else if (json_is(value, JSON_TRUE) && node->resource->root == node) {
            name_dynamic_anchor(compiler, node, "");
        }
        break;
    default: break; /* the others name nothing */
    }
}
