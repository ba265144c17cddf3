/*
 * Compiling: documents to nodes.
 *
 * Nodes are scanned from a queue (scan.c), so depth costs no stack. Scanning a node notes what it
 * is called (name.c), makes a rule of each keyword and queues its subschemas. References are
 * followed when the queue is empty (refer.c), since they may name what stands further on, or in a
 * document that nobody has read yet; then the queue is scanned again, until both are empty.
 */
#include "base/mem.h"
#include "schema/schema_internal.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POINTER_MAX = 16 << 10, /* bytes */
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

const char *compiler_keep(struct compiler *compiler, str text)
{
    char *copy = compiler_alloc(compiler, text.len + 1);
    if (copy && text.len > 0) memcpy(copy, text.ptr, text.len);
    return copy;
}

bool compiler_remember(struct compiler *compiler, struct map *map, str name, void *value)
{
    if (map_put(map, name, value)) return true;
    compiler_found(compiler, NULL, STATUS_RESOURCE_EXHAUSTED, (str){}, "the schema is too large");
    return false;
}

/* --- nodes -------------------------------------------------------------------------------------
 */

struct schema_node *compiler_node(struct compiler *compiler, uint32_t document, str pointer,
                                  json value, const struct schema_node *around)
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
    node->pointer  = compiler_keep(compiler, pointer);
    node->document = document;
    node->resource = around ? around->resource : NULL;
    node->dialect  = around ? around->dialect : NULL;
    node->value    = value;
    if (!node->pointer || !compiler_remember(compiler, compiler->nodes, buf_str(&key), node)) {
        return NULL;
    }
    node->next        = compiler->to_scan;
    compiler->to_scan = node;
    return node;
}
