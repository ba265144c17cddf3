/* Schemas from outside: compiled, freed. */
#include "schema/schema.h"

#include "base/mem.h"
#include "schema/schema_internal.h"

#include <stdlib.h>

enum {
    ARENA_MAX = 64 << 20, /* bytes of a compiled schema */
    NAMES_MAX = 50'000,   /* in each map of the compiler */
};

static void compiler_done(struct compiler *compiler)
{
    map_free(compiler->nodes);
    map_free(compiler->resources);
    map_free(compiler->anchors);
}

static void compile(struct compiler *compiler, json source)
{
    const char *uri = compiler->options->uri;
    compiler->schema->root =
        compiler_add_document(compiler, uri ? uri : "", source, &schema_dialects[DRAFT_DEFAULT]);
    while (compiler->to_refer && compiler->code != STATUS_RESOURCE_EXHAUSTED) {
        struct pending_ref *ref = compiler->to_refer;
        compiler->to_refer      = ref->next;
        compiler_refer(compiler, ref);
    }
}

status schema_compile(json source, const struct schema_options *options, struct diagnostics *list,
                      struct schema **ret_schema, struct error *reterr)
{
    ASSERT(ret_schema);
    static const struct schema_options defaults = {};
    CLEANUP(schema_freep) struct schema *schema = mem_new(1, sizeof *schema);
    schema->arena                               = arena_new(ARENA_MAX);

    CLEANUP(compiler_done)
    struct compiler compiler = {
        .schema    = schema,
        .options   = options ? options : &defaults,
        .list      = list,
        .nodes     = map_new(NAMES_MAX),
        .resources = map_new(NAMES_MAX),
        .anchors   = map_new(NAMES_MAX),
    };
    compile(&compiler, source);
    if (compiler.code != STATUS_OK) {
        return fail(reterr, compiler.code, "%s", compiler.first.text);
    }
    *ret_schema = TAKE(schema);
    return STATUS_OK;
}

void schema_free(struct schema *schema)
{
    if (!schema) return;
    for (struct schema_regex *own = schema->regexes; own; own = own->next) regex_free(own->regex);
    for (struct schema_owned *own = schema->values; own; own = own->next) json_unref(own->value);
    arena_free(schema->arena);
    free(schema);
}

void schema_freep(struct schema **schema)
{
    schema_free(*schema);
}
