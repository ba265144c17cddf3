#include "tool-adapter/call/personal.h"

#include "json/json_map.h"

enum { KINDS_MAX = 256 /* bytes of names */ };

struct marks {
    str names[PERSONAL_NAMES_MAX];
    size_t count;
};

struct applying {
    struct marks scrubbed, blocked;
    struct scrub *scrub;   /* by the connection's rule */
    struct scrub *blocker; /* finds only */
};

/* --- what the manifest marks --------------------------------------------------------------------
 */

static void mark(struct marks *marks, str name)
{
    if (marks->count < PERSONAL_NAMES_MAX) marks->names[marks->count++] = name;
}

static bool is_marked(const struct marks *marks, str name)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (str_equal(marks->names[i], name)) return true;
    }
    return false;
}

static void take_mark(struct applying *applying, str name, json property)
{
    json pii = json_get_text(property, "pii");
    if (!json_is(pii, JSON_TEXT)) return;
    if (str_is(json_str(pii), "scrub")) mark(&applying->scrubbed, name);
    if (str_is(json_str(pii), "block")) mark(&applying->blocked, name);
}

/* Objects in objects and in lists. */
static void take_marks(struct applying *applying, json schema)
{
    json open[PERSONAL_DEPTH_MAX * PERSONAL_NAMES_MAX];
    size_t count  = 0;
    open[count++] = schema;
    while (count > 0) {
        json one        = open[--count];
        json properties = json_get_text(one, "properties");
        for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < json_count(properties); i++) {
            json property = json_value_at(properties, i);
            take_mark(applying, json_key_at(properties, i), property);
            json items = json_get_text(property, "items");
            if (count + 2 > sizeof open / sizeof *open) return;
            if (json_is(property, JSON_OBJECT)) open[count++] = property;
            if (json_is(items, JSON_OBJECT)) open[count++] = items;
        }
    }
}

/* --- arguments ----------------------------------------------------------------------------------
 */

static json apply_one(str key, json leaf, void *context)
{
    struct applying *applying = context;
    if (is_marked(&applying->blocked, key)) return scrub_leaf(applying->blocker, leaf);
    if (is_marked(&applying->scrubbed, key)) return scrub_leaf(applying->scrub, leaf);
    return json_invalid();
}

static status refuse(const struct marks *marks, pii_kinds kinds, struct error *reterr)
{
    CLEANUP(buf_done) struct buf names = buf_init(KINDS_MAX);
    CLEANUP(buf_done) struct buf list  = buf_init(KINDS_MAX);
    pii_kinds_print(kinds, &list);
    for (size_t i = 0; i < marks->count; i++) {
        (void)buf_printf(&names, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(marks->names[i]));
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: personal data that may not leave: %s",
                buf_str(&names).ptr, buf_str(&list).ptr);
}

static status apply(struct applying *applying, const struct scrub_options *rule, json params,
                    json *ret_params, struct error *reterr)
{
    CLEANUP(json_unrefp) json changed = json_map_values(params, apply_one, applying);
    if (scrub_found(applying->blocker)) {
        return refuse(&applying->blocked, scrub_found(applying->blocker), reterr);
    }
    if (rule->mode == PII_BLOCK && scrub_found(applying->scrub)) {
        return refuse(&applying->scrubbed, scrub_found(applying->scrub), reterr);
    }
    *ret_params = json_take(&changed);
    return STATUS_OK;
}

status personal_apply(const struct scrub_options *rule, const struct manifest_action *action,
                      json params, json *ret_params, struct error *reterr)
{
    struct applying applying           = {};
    const struct scrub_options blocker = {.mode = PII_BLOCK, .kinds = PII_DEFAULT};
    take_marks(&applying, action->params);
    if (!json_is(params, JSON_OBJECT) || applying.scrubbed.count + applying.blocked.count == 0) {
        *ret_params = json_ref(params);
        return STATUS_OK;
    }
    applying.scrub   = scrub_new(rule);
    applying.blocker = scrub_new(&blocker);
    status code      = apply(&applying, rule, params, ret_params, reterr);
    scrub_freep(&applying.scrub);
    scrub_freep(&applying.blocker);
    return code;
}
