/* gumbo's tree becomes an array. */
#include "base/assert.h"
#include "base/mem.h"
#include "html/html_internal.h"

#include <stdlib.h>
#include <strings.h>

/* --- names ------------------------------------------------------------------------------------ */

static void put_lower(struct buf *out, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        (void)buf_put_byte(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}

enum { NAME_MAX_BYTES = 256, NAME_OTHERS = GUMBO_TAG_UNKNOWN /* what does not fit the limits */ };

static uint32_t name_find(const struct html_document *document, str name)
{
    uintptr_t number = (uintptr_t)map_get(document->names, name);
    return number ? (uint32_t)number : HTML_NO_NAME;
}

static uint32_t name_add(struct html_document *document, str raw)
{
    CLEANUP(buf_done) struct buf name = buf_init(NAME_MAX_BYTES);
    put_lower(&name, raw);
    if (name.is_full || name.len == 0) return NAME_OTHERS;
    uint32_t number = name_find(document, buf_str(&name));
    if (number != HTML_NO_NAME) return number;
    if (document->extra_count == NAMES_MAX) return NAME_OTHERS;
    if (document->extra_count == document->extra_capacity) {
        document->extra_capacity = document->extra_capacity ? document->extra_capacity * 2 : 16;
        document->extra_names =
            mem_resize(document->extra_names, document->extra_capacity, sizeof(char *));
    }
    number      = GUMBO_TAG_LAST + 1 + document->extra_count;
    bool is_put = map_put(document->names, buf_str(&name), (void *)(uintptr_t)number);
    ASSERT(is_put);
    document->extra_names[document->extra_count++] = buf_take(&name);
    return number;
}

static uint32_t name_of(struct html_document *document, const GumboElement *element)
{
    if (element->tag != GUMBO_TAG_UNKNOWN) return element->tag;
    GumboStringPiece raw = element->original_tag;
    if (!raw.data) return NAME_OTHERS;
    gumbo_tag_from_original_text(&raw);
    return name_add(document, (str){.ptr = raw.data, .len = raw.length});
}

str html_name(const struct html_document *document, uint32_t node)
{
    uint32_t number = document->nodes[node].name;
    if (number > GUMBO_TAG_LAST) {
        return str_from(document->extra_names[number - GUMBO_TAG_LAST - 1]);
    }
    return str_from(gumbo_normalized_tagname((GumboTag)number));
}

uint32_t html_name_number(const struct html_document *document, str name)
{
    CLEANUP(buf_done) struct buf lower = buf_init(NAME_MAX_BYTES);
    put_lower(&lower, name);
    if (lower.is_full || lower.len == 0) return HTML_NO_NAME;
    GumboTag tag = gumbo_tagn_enum(lower.ptr, (unsigned)lower.len);
    return tag == GUMBO_TAG_UNKNOWN ? name_find(document, buf_str(&lower)) : (uint32_t)tag;
}

/* --- nodes ------------------------------------------------------------------------------------ */

/* What is open on the way down: a node of gumbo, its number here, and which child comes next. */
struct level {
    const GumboVector *children;
    uint32_t node;
    unsigned next;
    uint32_t last_element; /* the newest child that is an element */
};

struct walk {
    struct html_document *document;
    struct level levels[HTML_DEPTH_MAX + 1];
    size_t depth;
};

static struct html_node *node_add(struct html_document *document)
{
    if (document->node_count == document->node_capacity) {
        document->node_capacity = document->node_capacity ? document->node_capacity * 2 : 1024;
        document->nodes =
            mem_resize(document->nodes, document->node_capacity, sizeof *document->nodes);
    }
    struct html_node *node = &document->nodes[document->node_count++];
    *node                  = (struct html_node){.name = HTML_NO_NAME};
    return node;
}

/* What gumbo has of texts is strewn over 30 MB between what it needed to parse; side by side they
 * fit a cache. Each of them was a piece of its own there, with a header (memory.c), so that all of
 * them take less here than the limit. */
static str keep(struct html_document *document, const char *text)
{
    str kept = str_from(text);
    kept.ptr = arena_strdup(document->texts, kept);
    ASSERT(kept.ptr);
    return kept;
}

/* Attributes of an element begin at an index until all are there and lie still. */
static void attributes_add(struct html_document *document, struct html_node *node,
                           const GumboVector *from)
{
    size_t needed = document->attribute_count + from->length;
    if (needed > document->attribute_capacity) {
        size_t doubled               = document->attribute_capacity * 2;
        document->attribute_capacity = needed > doubled ? needed : doubled;
        document->attributes = mem_resize(document->attributes, document->attribute_capacity,
                                          sizeof *document->attributes);
    }
    for (unsigned i = 0; i < from->length; i++) {
        const GumboAttribute *attribute                   = from->data[i];
        document->attributes[document->attribute_count++] = (struct html_attribute){
            keep(document, attribute->name), keep(document, attribute->value)};
    }
    node->attribute_count = from->length;
}

static void attributes_place(struct html_document *document)
{
    const struct html_attribute *next = document->attributes;
    for (size_t i = 0; i < document->node_count; i++) {
        document->nodes[i].attributes = next;
        if (document->nodes[i].attribute_count > 0) next += document->nodes[i].attribute_count;
    }
}

/* Selectors ask for the elements of a name, which are few of all nodes: sorted by counting. */
static void elements_place(struct html_document *document)
{
    size_t names        = (size_t)GUMBO_TAG_LAST + 1 + document->extra_count;
    uint32_t count      = 0;
    uint32_t *ends      = mem_new(names, sizeof *ends);
    document->elements  = mem_new(2 * document->node_count, sizeof *document->elements);
    document->name_ends = ends;
    for (uint32_t i = 1; i < document->node_count; i++) {
        if (document->nodes[i].kind != HTML_ELEMENT) continue;
        document->elements[count++] = i;
        ends[document->nodes[i].name]++;
    }
    document->element_count = count;
    uint32_t end            = count;
    /* First where each name begins; filling moves that to where it ends. */
    for (size_t i = 0; i < names; i++) {
        uint32_t of_name = ends[i];
        ends[i]          = end;
        end += of_name;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t element                                          = document->elements[i];
        document->elements[ends[document->nodes[element].name]++] = element;
    }
}

const uint32_t *html_elements(const struct html_document *document, uint32_t name,
                              uint32_t *ret_count)
{
    uint32_t from = 0;
    uint32_t end  = document->element_count;
    if (name != HTML_NO_NAME) {
        from = name > 0 ? document->name_ends[name - 1] : document->element_count;
        end  = document->name_ends[name];
    }
    *ret_count = end - from;
    return document->elements + from;
}

static bool push(struct walk *walk, const GumboVector *children, uint32_t node)
{
    if (walk->depth > HTML_DEPTH_MAX) return false;
    walk->levels[walk->depth++] = (struct level){.children = children, .node = node};
    return true;
}

/* Takes the next child of the innermost level; false if it lies too deep. */
static bool take_child(struct walk *walk, struct level *level, const GumboNode *child)
{
    struct html_document *document = walk->document;
    uint32_t number                = (uint32_t)document->node_count;
    struct html_node *node         = node_add(document);
    node->parent                   = level->node;
    node->end                      = number + 1;
    node->previous                 = level->last_element;
    if (child->type != GUMBO_NODE_ELEMENT && child->type != GUMBO_NODE_TEMPLATE) {
        node->kind = child->type == GUMBO_NODE_COMMENT ? HTML_COMMENT : HTML_TEXT;
        node->text = keep(document, child->v.text.text);
        return true;
    }
    node->kind          = HTML_ELEMENT;
    node->position      = ++document->nodes[level->node].elements;
    level->last_element = number;
    attributes_add(document, node, &child->v.element.attributes);
    uint32_t name                = name_of(document, &child->v.element);
    document->nodes[number].name = name;
    if (child->type == GUMBO_NODE_TEMPLATE) return true;
    return push(walk, &child->v.element.children, number);
}

static status too_much(struct error *reterr, const char *what)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the page takes too much %s to be read", what);
}

static status copy_tree(struct html_document *document, const GumboNode *root, struct error *reterr)
{
    struct walk *walk       = mem_new(1, sizeof *walk);
    walk->document          = document;
    node_add(document)->end = 1;
    bool fits               = push(walk, &root->v.document.children, 0);
    while (fits && walk->depth > 0) {
        struct level *level = &walk->levels[walk->depth - 1];
        if (level->next < level->children->length) {
            fits = document->node_count < HTML_NODES_MAX &&
                   take_child(walk, level, level->children->data[level->next++]);
        } else {
            document->nodes[level->node].end = (uint32_t)document->node_count;
            walk->depth--;
        }
    }
    free(walk);
    if (!fits && document->node_count >= HTML_NODES_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the page has more than %d nodes",
                    HTML_NODES_MAX);
    }
    if (!fits) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "the page has more than %d elements within each other", HTML_DEPTH_MAX);
    }
    attributes_place(document);
    elements_place(document);
    return STATUS_OK;
}

/* --- documents -------------------------------------------------------------------------------- */

/* NULL: a limit was exceeded. In a function of its own, because of what longjmp() forgets. */
static const GumboNode *run_parser(struct memory *memory, str text)
{
    GumboOptions options = kGumboDefaultOptions;
    options.allocator    = memory_take;
    options.deallocator  = memory_give_back;
    options.userdata     = memory;
    options.max_errors   = 0;
    if (setjmp(memory->out) != 0) return NULL; /* NOLINT(cert-err52-cpp): see html_internal.h */
    return gumbo_parse_with_options(&options, text.ptr, text.len)->document;
}

status html_parse(str utf8, struct html_document **ret_document, struct error *reterr)
{
    if (utf8.len > HTML_SIZE_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the page has more than %d bytes",
                    HTML_SIZE_MAX);
    }
    CLEANUP(html_freep) struct html_document *document = mem_new(1, sizeof *document);
    document->names                                    = map_new(NAMES_MAX);
    document->texts                                    = arena_new(HTML_MEMORY_MAX);
    CLEANUP(memory_end) struct memory memory;
    memory_begin(&memory, HTML_MEMORY_MAX, HTML_PARSE_MS);
    if (!utf8.ptr) utf8.ptr = "";
    const GumboNode *root = run_parser(&memory, utf8);
    if (!root) return too_much(reterr, memory.exceeded);
    TRY(copy_tree(document, root, reterr));
    *ret_document = TAKE(document);
    return STATUS_OK;
}

void html_free(struct html_document *document)
{
    if (!document) return;
    for (uint32_t i = 0; i < document->extra_count; i++) free(document->extra_names[i]);
    free(document->extra_names);
    map_free(document->names);
    free(document->elements);
    free(document->name_ends);
    free(document->attributes);
    free(document->nodes);
    arena_free(document->texts);
    free(document);
}

void html_freep(struct html_document **document)
{
    html_free(*document);
}

const struct html_node *html_nodes(const struct html_document *document)
{
    return document->nodes;
}

uint32_t html_node_count(const struct html_document *document)
{
    return (uint32_t)document->node_count;
}

bool html_attribute(const struct html_document *document, uint32_t node, str name, str *ret_value)
{
    const struct html_node *element = &document->nodes[node];
    if (name.len == 0) return false;
    for (uint32_t i = 0; i < element->attribute_count; i++) {
        const struct html_attribute *attribute = &element->attributes[i];
        /* Most differ in their first letter or their length. */
        if (attribute->name.len != name.len || attribute->name.ptr[0] != name.ptr[0]) continue;
        if (memcmp(attribute->name.ptr, name.ptr, name.len) != 0) continue;
        *ret_value = attribute->value;
        return true;
    }
    return false;
}
