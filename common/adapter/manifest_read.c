/* A manifest as a whole: its shape, then what is not of one action. */
#include "adapter/manifest_internal.h"
#include "base/assert.h"
#include "base/mem.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdlib.h>

extern const unsigned char adapter_manifest_schema[];
extern const size_t adapter_manifest_schema_size;

static const char *const class_names[] = {
    [OUTCOME_OK]        = "ok",
    [OUTCOME_TRANSIENT] = "transient",
    [OUTCOME_THROTTLED] = "throttled",
    [OUTCOME_UNKNOWN]   = "unknown",
    [OUTCOME_AUTH]      = "auth",
    [OUTCOME_NOT_FOUND] = "not_found",
    [OUTCOME_CONFLICT]  = "conflict",
    [OUTCOME_INVALID]   = "invalid",
    [OUTCOME_FATAL]     = "fatal",
};

const char *outcome_class_name(enum outcome_class class)
{
    return class_names[class];
}

bool outcome_class_of(str name, enum outcome_class *ret_class)
{
    for (size_t i = 0; i < OUTCOME_CLASS_COUNT; i++) {
        if (!str_is(name, class_names[i])) continue;
        *ret_class = (enum outcome_class)i;
        return true;
    }
    return false;
}

str manifest_schema_text(void)
{
    return (str){.ptr = (const char *)adapter_manifest_schema, .len = adapter_manifest_schema_size};
}

/* --- shape ------------------------------------------------------------------------------------ */

/* At its name, which is what is wrong. */
static void report_member(struct reading *reading, const struct schema_error *violation)
{
    (void)json_pointer_add(&reading->pointer, str_from(violation->member));
    str pointer             = buf_str(&reading->pointer);
    struct yaml_place place = yaml_key_place(reading->document, pointer);
    (void)diagnostics_add(reading->list, "M02", SEVERITY_ERROR, pointer, place.line, place.column,
                          "%s", violation->sentence);
}

static void report_violations(struct reading *reading, const struct schema_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct schema_error *violation = &errors->items[i];
        buf_clear(&reading->pointer);
        (void)buf_put_text(&reading->pointer, violation->pointer);
        if (violation->member) {
            report_member(reading, violation);
        } else {
            (void)reading_refuse(reading, "M02", "%s", violation->sentence);
        }
    }
    buf_clear(&reading->pointer);
}

static status check_shape(struct reading *reading, struct error *reterr)
{
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    CLEANUP(schema_freep) struct schema *schema        = NULL;
    const struct schema_options options                = {.assert_formats = true};
    TRY(yaml_parse(manifest_schema_text(), NULL, &document, reterr));
    TRY(schema_compile(yaml_root(document), &options, NULL, &schema, reterr));
    struct schema_errors *errors = reading_alloc(reading, 1, sizeof *errors);
    status code = schema_check(schema, reading->manifest->root, reading->arena, errors, reterr);
    if (code != STATUS_OK) report_violations(reading, errors);
    return code;
}

/* --- parts ------------------------------------------------------------------------------------ */

static void secrets_read(struct reading *reading, json map)
{
    struct manifest *manifest = reading->manifest;
    manifest->secrets         = reading_alloc(reading, json_count(map), sizeof *manifest->secrets);
    for (size_t i = 0; i < json_count(map); i++) {
        json slot                                   = json_value_at(map, i);
        manifest->secrets[manifest->secret_count++] = (struct secret_slot){
            .name        = json_key_at(map, i).ptr,
            .description = text_at(slot, "description"),
            .is_optional = json_is_truthy(json_get_text(slot, "optional")),
            .is_shown    = json_is(json_get_text(slot, "hidden"), JSON_FALSE),
        };
    }
}

static void config_read(struct reading *reading, json properties)
{
    struct manifest *manifest = reading->manifest;
    size_t back               = reading_enter(reading, "config");
    manifest->config          = properties;
    defaults_read(reading, properties, &manifest->config_defaults);
    CLEANUP(json_unrefp) json schema = json_object_new(3);
    json_object_put_text(&schema, "type", json_text_from("object"));
    json_object_put_text(&schema, "properties",
                         json_count(properties) > 0 ? json_ref(properties) : json_object_new(0));
    json_object_put_text(&schema, "additionalProperties", json_bool(false));
    manifest->config_schema = schema_at(reading, schema);
    reading_leave(reading, back);
}

static void tls_read(struct reading *reading, json tls)
{
    static const char *const keys[] = {"ca", "cert", "key"};
    struct manifest *manifest       = reading->manifest;
    size_t back                     = reading_enter(reading, "tls");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) secret_check(reading, tls, keys[i]);
    manifest->tls_ca   = text_at(tls, "ca");
    manifest->tls_cert = text_at(tls, "cert");
    manifest->tls_key  = text_at(tls, "key");
    reading_leave(reading, back);
}

static void http_read(struct reading *reading, json http)
{
    struct manifest *manifest = reading->manifest;
    size_t back               = reading_enter(reading, "http");
    json timeout              = json_get_text(http, "timeout");
    manifest->base_url        = formula_at(reading, http, "base_url", FORMULA_KEEPS_NULL);
    manifest->headers         = formula_at(reading, http, "headers", FORMULA_DROPS_NULL);
    manifest->content_type    = text_at(http, "content_type");
    manifest->connect_ms      = duration_at_ms(timeout, "connect", MANIFEST_CONNECT_MS);
    manifest->total_ms        = duration_at_ms(timeout, "total", MANIFEST_TOTAL_MS);
    manifest->answer_max      = size_at(http, "max_response", MANIFEST_ANSWER_MAX);
    if (!manifest->content_type) manifest->content_type = "application/json";
    tls_read(reading, json_get_text(http, "tls"));
    manifest->proxy = text_at(http, "proxy");
    secret_check(reading, http, "proxy");
    reading_leave(reading, back);
}

/* Which read tries a connection out, and whose account it tells. */
static void check_read(struct reading *reading, json check)
{
    struct manifest *manifest = reading->manifest;
    json name                 = json_get_text(check, "action");
    size_t back               = reading_enter(reading, "check");
    manifest->account         = formula_at(reading, check, "account", FORMULA_KEEPS_NULL);
    if (json_is(name, JSON_TEXT)) manifest->check = manifest_action(manifest, json_str(name));
    if (json_is(name, JSON_TEXT) && !manifest->check) {
        (void)reading_refuse(reading, "M04", "there is no action `%s`", json_str(name).ptr);
    } else if (manifest->check && manifest->check->effect != EFFECT_READ) {
        (void)reading_refuse(reading, "M06", "`%s` is no read", json_str(name).ptr);
    }
    reading_leave(reading, back);
}

static void parts_read(struct reading *reading, json root)
{
    struct manifest *manifest = reading->manifest;
    manifest->name            = text_at(root, "name");
    manifest->version         = text_at(root, "version");
    manifest->title           = text_at(root, "title");
    manifest->docs            = text_at(root, "docs");
    manifest->implements      = text_at(root, "implements");
    manifest->aliases         = json_get_text(root, "aliases");
    manifest->major           = (uint32_t)strtoul(manifest->version, NULL, 10);
    secrets_read(reading, json_get_text(root, "secrets"));
    config_read(reading, json_get_text(root, "config"));
    manifest_auth_read(reading, root, &manifest->auth);
    http_read(reading, json_get_text(root, "http"));
    manifest->ok_when       = formula_at(reading, root, "ok_when", FORMULA_KEEPS_NULL);
    manifest->error_message = formula_at(reading, root, "error_message", FORMULA_KEEPS_NULL);
    error_rules_read(reading, root, &manifest->errors, &manifest->error_count);
    rate_limit_read(reading, root, &manifest->rate_limit);
    paginations_read(reading, root);
    actions_read(reading, root);
    check_read(reading, json_get_text(root, "check"));
}

/* --- the whole -------------------------------------------------------------------------------- */

static status read_document(struct reading *reading, struct error *reterr)
{
    TRY(reading_copy(reading, yaml_root(reading->document), &reading->manifest->root, reterr));
    if (!reading->is_known) TRY(check_shape(reading, reterr));
    parts_read(reading, reading->manifest->root);
    if (reading->list->errors == 0) manifest_lint(reading);
    if (reading->list->errors == 0) return STATUS_OK;
    const struct diagnostic *first = &reading->list->items[0];
    return fail(reterr, STATUS_INVALID_ARGUMENT, "line %u: %s", first->line, first->detail);
}

static status read_text(str text, bool is_known, struct diagnostics *list,
                        struct manifest **ret_manifest, struct error *reterr)
{
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    TRY(yaml_parse_written_out(text, list, &document, reterr));

    struct manifest_kept *kept                        = mem_new(1, sizeof *kept);
    kept->arena                                       = arena_new(MANIFEST_ARENA_MAX);
    CLEANUP(manifest_freep) struct manifest *manifest = &kept->manifest;
    struct reading reading = {.kept = kept, .manifest = manifest, .arena = kept->arena};
    reading.document       = document;
    reading.list           = list;
    reading.is_known       = is_known;
    reading.formulas_end   = &reading.formulas;
    reading.pointer        = buf_init(MANIFEST_POINTER_MAX);
    status code            = read_document(&reading, reterr);
    buf_done(&reading.pointer);
    if (code == STATUS_OK) *ret_manifest = TAKE(manifest);
    return code;
}

status manifest_read(str text, struct diagnostics *list, struct manifest **ret_manifest,
                     struct error *reterr)
{
    return read_text(text, false, list, ret_manifest, reterr);
}

status manifest_read_known(str text, struct diagnostics *list, struct manifest **ret_manifest,
                           struct error *reterr)
{
    return read_text(text, true, list, ret_manifest, reterr);
}

void manifest_free(struct manifest *manifest)
{
    if (!manifest) return;
    struct manifest_kept *kept = (struct manifest_kept *)manifest;
    for (struct holding *holding = kept->holdings; holding; holding = holding->next) {
        formula_free(holding->formula);
        schema_free(holding->schema);
        json_thaw_and_free(holding->value);
    }
    arena_free(kept->arena);
    free(kept);
}

void manifest_freep(struct manifest **manifest)
{
    manifest_free(*manifest);
    *manifest = NULL;
}

const struct action_call *manifest_undo_at(const struct manifest_action *action, size_t index)
{
    const struct action_calls *own = &action->compensate;
    if (own->count > 0) return index < own->count ? &own->items[index] : NULL;
    for (size_t i = action->step_count; i-- > 0;) {
        const struct action_calls *calls = &action->steps[i].compensate;
        if (index < calls->count) return &calls->items[index];
        index -= calls->count;
    }
    return NULL;
}

const struct manifest_action *manifest_action(const struct manifest *manifest, str name)
{
    for (size_t i = 0; i < manifest->action_count; i++) {
        const struct manifest_action *action = &manifest->actions[i];
        if (str_is(name, action->name)) return action;
        for (size_t k = 0; k < json_count(action->aliases); k++) {
            if (str_equal(name, json_str(json_at(action->aliases, k)))) return action;
        }
    }
    return NULL;
}
