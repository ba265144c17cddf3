/* Documents and the references between them: $ref, $dynamicRef, $id, anchors, JSON pointers. */
#include "schema/schema_internal.h"
#include "schema/uri.h"
#include "json/json_pointer.h"

enum {
    URI_MAX     = 4 << 10,  /* bytes */
    POINTER_MAX = 16 << 10, /* bytes */
};

struct schema_node *compiler_add_document(struct compiler *compiler, const char *uri, json value,
                                          const struct schema_dialect *dialect)
{
    struct schema_owned *owned = compiler_alloc(compiler, sizeof *owned);
    if (!owned) return NULL;
    owned->value             = json_ref(value);
    owned->next              = compiler->schema->values;
    compiler->schema->values = owned;

    struct schema_resource *resource = compiler_alloc(compiler, sizeof *resource);
    if (!resource) return NULL;
    resource->uri     = uri;
    uint32_t document = compiler->document_count++;
    resource->root    = compiler_node(compiler, document, (str){}, value, NULL);
    if (!resource->root) return NULL;
    resource->root->resource = resource;
    resource->root->dialect  = dialect;
    if (!map_put(compiler->resources, str_from(uri), resource)) return NULL;
    compiler_scan_all(compiler);
    return resource->root;
}

json compiler_option_document(const struct compiler *compiler, str uri)
{
    const struct schema_document *documents = compiler->options->documents;
    for (; documents && documents->uri; documents++) {
        if (str_is(uri, documents->uri)) return documents->value;
    }
    return json_invalid();
}

/* The resource of a URI: of the documents read so far, or of one that is read now, which is of the
 * dialect of the schema that refers to it unless it says otherwise. NULL: there is none. */
static struct schema_resource *resource_of(struct compiler *compiler, str uri,
                                           const struct schema_dialect *dialect)
{
    struct schema_resource *found = map_get(compiler->resources, uri);
    if (found) return found;
    const struct schema_options *options = compiler->options;
    const struct schema_dialect *meta    = schema_dialect_find(uri);
    CLEANUP(json_unrefp) json made       = json_invalid();
    json value                           = compiler_option_document(compiler, uri);
    if (json_is(value, JSON_INVALID) && meta) {
        made    = schema_meta_new(meta);
        value   = made;
        dialect = &schema_dialects[meta->meta_draft];
    } else if (json_is(value, JSON_INVALID) && options->find) {
        value = options->find(uri, options->context);
    }
    if (json_is(value, JSON_INVALID)) return NULL;
    const char *name = compiler_keep(compiler, uri);
    if (!name) return NULL;
    (void)compiler_add_document(compiler, name, value, dialect);
    return map_get(compiler->resources, uri);
}

/* The last known node that a pointer into a document leads through: what is below it is of its
 * resource, since it may have an $id, and of its dialect. */
static const struct schema_node *node_around(struct compiler *compiler,
                                             const struct schema_node *root, str pointer)
{
    const struct schema_node *around = root;
    CLEANUP(buf_done) struct buf key = buf_init(POINTER_MAX + 16);
    for (size_t end = 0; end <= pointer.len; end++) {
        if (end < pointer.len && pointer.ptr[end] != '/') continue;
        buf_clear(&key);
        (void)buf_printf(&key, "%u", root->document);
        (void)buf_put_str(&key, str_slice(pointer, 0, end));
        const struct schema_node *node = map_get(compiler->nodes, buf_str(&key));
        if (node) around = node;
    }
    return around;
}

/* The node at a JSON pointer that starts at the root of a resource. */
static struct schema_node *node_at(struct compiler *compiler, const struct schema_node *root,
                                   str pointer)
{
    json value = json_pointer_get(root->value, pointer);
    if (json_is(value, JSON_INVALID)) return NULL;
    CLEANUP(buf_done) struct buf path = buf_init(POINTER_MAX);
    (void)buf_put_text(&path, root->pointer);
    if (!buf_put_str(&path, pointer)) return NULL;
    struct schema_node *node = compiler_node(compiler, root->document, buf_str(&path), value,
                                             node_around(compiler, root, buf_str(&path)));
    compiler_scan_all(compiler);
    return node;
}

static struct schema_node *anchored(struct compiler *compiler,
                                    const struct schema_resource *resource, str name)
{
    CLEANUP(buf_done) struct buf key = buf_init(URI_MAX);
    (void)buf_put_text(&key, resource->root->resource->uri);
    (void)buf_put_byte(&key, '#');
    if (!buf_put_str(&key, name)) return NULL;
    return map_get(compiler->anchors, buf_str(&key));
}

static struct schema_node *resolve(struct compiler *compiler, const struct schema_node *from,
                                   str reference, struct buf *fragment)
{
    CLEANUP(buf_done) struct buf uri = buf_init(URI_MAX);
    if (!uri_resolve(str_from(from->resource->uri), reference, &uri)) return NULL;
    const struct schema_resource *resource = resource_of(compiler, buf_str(&uri), from->dialect);
    if (!resource) return NULL;
    bool has_fragment = false;
    if (!uri_decode(uri_fragment(reference, &has_fragment), fragment)) return NULL;
    if (fragment->len == 0) return resource->root;
    if (fragment->ptr[0] == '/') return node_at(compiler, resource->root, buf_str(fragment));
    return anchored(compiler, resource, buf_str(fragment));
}

static bool is_dynamic(const struct schema_node *target, str name)
{
    const struct schema_anchor *anchor = target->resource->dynamic_anchors;
    while (anchor && !(anchor->node == target && str_is(name, anchor->name))) anchor = anchor->next;
    return anchor != NULL;
}

void compiler_refer(struct compiler *compiler, struct pending_ref *ref)
{
    str reference                         = json_str(ref->rule->value);
    bool is_dynamic_ref                   = ref->rule->keyword == KEYWORD_DYNAMIC_REF;
    CLEANUP(buf_done) struct buf fragment = buf_init(POINTER_MAX);
    struct schema_node *target            = resolve(compiler, ref->node, reference, &fragment);
    if (compiler->code == STATUS_RESOURCE_EXHAUSTED) return;
    if (!target) {
        compiler_found(compiler, ref->node, STATUS_INVALID_ARGUMENT,
                       str_from(ref->rule->info->name), "`" STR_FMT "` names nothing that is here",
                       STR_ARG(reference));
        return;
    }
    ref->rule->nodes = compiler_alloc(compiler, sizeof(struct schema_node *));
    if (!ref->rule->nodes) return;
    ref->rule->nodes[0]   = target;
    ref->rule->node_count = 1;
    if (is_dynamic_ref && is_dynamic(target, buf_str(&fragment))) {
        ref->rule->dynamic_anchor = compiler_keep(compiler, buf_str(&fragment));
    }
}
