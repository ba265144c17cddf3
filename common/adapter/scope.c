#include "adapter/scope.h"

#include "adapter/derive.h"
#include "base/assert.h"

enum { SECOND_US = 1'000'000 };

void scope_put(json *scope, const char *name, json value)
{
    json_object_put_text(scope, name, value);
}

int64_t scope_now_us(json scope)
{
    int64_t seconds = 0;
    (void)json_to_int(json_get_text(scope, "now"), &seconds);
    return seconds * SECOND_US;
}

/* Puts the defaults of what `*values` lacks, which is the member `member` of the scope. */
static status fill_defaults(const struct formula_map *defaults, const char *member, json *scope,
                            json *values, struct error *reterr)
{
    for (size_t i = 0; i < defaults->count; i++) {
        const struct named_formula *one = &defaults->items[i];
        if (!json_is(json_get_text(*values, one->name), JSON_INVALID)) continue;
        json value         = json_invalid();
        struct error error = {};
        scope_put(scope, member, json_ref(*values));
        status code = formula_eval(one->formula, *scope, scope_now_us(*scope), &value, &error);
        scope_put(scope, member, json_null()); /* one owner again: the next put copies nothing */
        if (code != STATUS_OK) {
            return fail(reterr, code, "the default of `%s`: %s", one->name, error.text);
        }
        if (!json_is(value, JSON_NULL)) json_object_put_text(values, one->name, value);
    }
    return STATUS_OK;
}

/* The first violation as a sentence about `what`. */
static status check(const struct schema *schema, json value, const char *what, struct arena *arena,
                    struct error *reterr)
{
    struct schema_errors *errors = arena_alloc(arena, sizeof *errors);
    ASSERT(errors != NULL);
    struct error ignored = {};
    status code          = schema_check(schema, value, arena, errors, &ignored);
    if (code == STATUS_OK) return STATUS_OK;
    if (errors->count == 0) return fail(reterr, code, "%s: %s", what, ignored.text);
    const struct schema_error *first = &errors->items[0];
    return fail(reterr, code, "%s%s %s", what, first->pointer, first->sentence);
}

static json map_copy(json given)
{
    json copy = json_object_new(json_count(given));
    for (size_t i = 0; i < json_count(given); i++) {
        json_object_put(&copy, json_key_at(given, i), json_ref(json_value_at(given, i)));
    }
    return copy;
}

status scope_config(const struct manifest *manifest, json given, struct arena *arena,
                    json *ret_config, struct error *reterr)
{
    CLEANUP(json_unrefp) json config = map_copy(given);
    CLEANUP(json_unrefp) json scope  = json_object_new(1);
    TRY(fill_defaults(&manifest->config_defaults, "config", &scope, &config, reterr));
    if (manifest->config_schema) {
        TRY(check(manifest->config_schema, config, "config", arena, reterr));
    }
    *ret_config = json_take(&config);
    return STATUS_OK;
}

status scope_check_output(const struct manifest_action *action, json output, struct arena *arena,
                          struct error *reterr)
{
    return action->output_check ? check(action->output_check, output, "output", arena, reterr)
                                : STATUS_OK;
}

status scope_new(const struct manifest_action *action, const struct scope_options *options,
                 json *ret_scope, struct error *reterr)
{
    CLEANUP(json_unrefp) json scope  = json_object_new(8);
    CLEANUP(json_unrefp) json params = map_copy(options->params);
    json config                      = json_invalid();
    TRY(scope_config(action->manifest, options->config, options->arena, &config, reterr));
    scope_put(&scope, "config", config);
    scope_put(&scope, "idempotency_key", json_text_new(options->idempotency_key));
    scope_put(&scope, "now", json_int(options->created_us / SECOND_US));
    TRY(fill_defaults(&action->defaults, "params", &scope, &params, reterr));
    TRY(check(action->params_schema, params, "params", options->arena, reterr));
    scope_put(&scope, "params", json_take(&params));
    TRY(derive_all(action, options->secrets, options->arena, &scope, reterr));
    *ret_scope = json_take(&scope);
    return STATUS_OK;
}
